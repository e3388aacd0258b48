"""A model's text, and where in it a word stands that a refusal is about."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, TokenError

from backbone.errors import PipelineError


class SqlRefused(PipelineError):
    """A model's SQL isn't portable, reads what it may not, or can't be parsed.

    Attributes
    ----------
    file : the model's file name.
    line, column : of the offending word, both from 1.
    """

    def __init__(self, file: str, line: int, column: int, text: str, found: str, hint: str) -> None:
        self.file, self.line, self.column = file, line, column
        margin = re.sub(r"[^\t]", " ", text[: column - 1])
        problem = f"{found}\n\n    {text}\n    {margin}^\n{hint[:1].upper()}{hint[1:]}"
        super().__init__(f"{file}, line {line}, column {column}", problem, next_step=f"edit {file}")


class SqlText:
    """A text with its tokens, which know where a word stands when the parsed tree doesn't."""

    def __init__(self, sql: str, name: str, prefix: int = 0) -> None:
        self.sql, self.name, self.prefix = sql, name, prefix
        self.line_starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", sql))]
        try:
            self.tokens: list[Token] = sqlglot.tokenize(sql, read="duckdb")
        except TokenError as error:
            at = _open_quote(sql)
            raise self.refusal(at, "a quote or comment is opened and never closed", "close it") from error

    def refusal(self, at: int, found: str, hint: str) -> SqlRefused:
        line = bisect_right(self.line_starts, at)
        start = self.line_starts[line - 1]
        prefix = self.prefix if line == 1 else 0
        text = self.sql[start:].splitlines()[0] if self.sql[start:] else ""
        return SqlRefused(self.name, line, max(at - start - prefix, 0) + 1, text[prefix:], found, hint)

    def query(self) -> exp.Query:
        """The one SELECT of the text."""
        allowed = "a model is one `select`, with or without CTEs"
        tokens = [token for token in self.tokens if token.token_type != TokenType.SEMICOLON]
        if not tokens:
            raise self.refusal(0, "there is no query", allowed)
        first = next((t for t in tokens if t.token_type != TokenType.L_PAREN), tokens[0])
        if first.token_type not in (TokenType.SELECT, TokenType.WITH, TokenType.FROM):
            raise self.refusal(first.start, f"`{first.text}` is found where `select` is expected", allowed)
        for before, token in zip(self.tokens, self.tokens[1:], strict=False):
            if before.token_type == TokenType.SEMICOLON != token.token_type:
                raise self.refusal(token.start, "a second statement is found", allowed)
        try:
            statement = sqlglot.parse(self.sql, read="duckdb")[0]
        except ParseError as error:
            raise self.syntax(error) from error
        if not isinstance(statement, exp.Query):
            raise self.refusal(tokens[0].start, f"`{first.text}` doesn't begin a query", allowed)
        for at, word in self.from_first():
            raise self.refusal(at, f"`{word}` is found before `select`", "write `select … from …`")
        return statement

    def syntax(self, error: ParseError) -> SqlRefused:
        facts = error.errors[0] if error.errors else {}
        line, last = facts.get("line") or 1, facts.get("col") or 1
        token = next((t for t in self.tokens if (t.line, t.col) == (line, last)), None)
        at = token.start if token else min(self.line_starts[line - 1] + last - 1, len(self.sql))
        what = str(facts.get("description") or "").split(" but got <")[0]
        if what.startswith("Required keyword"):  # names a class of SQLGlot's
            what = "something is missing just before or after it"
        near = f" at `{self.sql[token.start : token.end + 1]}`" if token else ""
        return self.refusal(at, f"syntax error{near}", what or "the text can't be parsed")

    def from_first(self) -> Iterator[tuple[int, str]]:
        """The places of FROM that stand before their SELECT, which the parsed tree doesn't tell."""
        selected = [False]
        functions = [False]
        previous: Token | None = None
        for token in self.tokens:
            kind = token.token_type
            if kind == TokenType.L_PAREN:
                name = previous.text.upper() if previous else ""
                functions.append(name in {"EXTRACT", "TRIM", "SUBSTRING", "OVERLAY", "POSITION"})
                selected.append(False)
            elif kind == TokenType.R_PAREN and len(selected) > 1:
                functions.pop()
                selected.pop()
            elif kind == TokenType.SELECT:
                selected[-1] = True
            elif kind in (TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT):
                selected[-1] = False
            elif kind == TokenType.FROM and not selected[-1] and not functions[-1]:
                distinct = previous is not None and previous.token_type == TokenType.DISTINCT
                if not distinct:
                    yield token.start, token.text
            previous = token

    def place(self, node: exp.Expr, words: str = "") -> int:
        """Where a node begins, or the nearest place of the words that make it."""
        anchor = start_of(node)
        above = node.parent
        while anchor is None and above is not None:
            anchor, above = start_of(above), above.parent
        anchor = anchor or 0
        wanted = words.split()
        if not wanted or "start" in node.meta:
            return anchor
        written = [
            (word, token.start)
            for token in self.tokens
            if token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)
            for word in token.text.upper().split()  # GROUP BY is one token
        ]
        texts = [word for word, _ in written]
        places = range(len(texts) - len(wanted) + 1)
        found = [written[i][1] for i in places if texts[i : i + len(wanted)] == wanted]
        return min(found, key=lambda at: (abs(at - anchor), at), default=anchor)

    def operator(self, node: exp.Expr) -> Token | None:
        """The sign or word between the two sides of a binary node."""
        right = start_of(node.expression) if isinstance(node, exp.Binary) else None
        if right is None or "start" in node.meta:
            return None
        return next((token for token in reversed(self.tokens) if token.start < right), None)


def start_of(node: exp.Expr) -> int | None:
    """Where in the text a node begins, when it or something in it knows."""
    if "start" in node.meta:
        return int(node.meta["start"])
    return min((int(n.meta["start"]) for n in node.walk() if "start" in n.meta), default=None)


def _open_quote(sql: str) -> int:
    """Where the quote or comment begins that is never closed."""
    closed = (
        r"--[^\r\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|[^'\"/$-]|[-/$](?!\*)"
    )
    at = 0
    while at < len(sql) and (match := re.compile(closed, re.DOTALL).match(sql, at)):
        at = match.end()
    return min(at, max(len(sql) - 1, 0))
