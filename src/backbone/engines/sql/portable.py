"""Holds a query against the allow-list and the rules, with the names in scope at each place."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from sqlglot import TokenType, exp

from backbone.engines.sql.allowlist import CLOCKS, HINTS, PARTS, REPEAT
from backbone.engines.sql.rules import RULES
from backbone.engines.sql.text import SqlText, start_of

ZONES = frozenset({"formatted", "exploitation"})


class PortableCheck:
    """Walks a query with the names in scope, and collects what is refused."""

    def __init__(self, text: SqlText, parameters: Iterable[str]) -> None:
        self.text, self.parameters = text, frozenset(parameters)
        self.inputs: set[str] = set()
        self.used: set[str] = set()
        self.refusals: list[tuple[int, str, str]] = []

    def refuse(self, node: exp.Expr, found: str, hint: str, words: str = "") -> None:
        self.refusals.append((self.text.place(node, words), found, hint))

    def finish(self) -> None:
        """Raise the first refusal of the text, if there is one."""
        if self.refusals:
            raise self.text.refusal(*min(self.refusals, key=lambda refusal: refusal[0]))

    def query(self, query: exp.Query, named: bool = True) -> None:
        self.visit(query, frozenset(), frozenset())
        if named:
            self.columns_named(query)

    def visit(self, node: exp.Expr, ctes: frozenset[str], aliases: frozenset[str]) -> None:
        """Check a node and all below; `ctes` are readable as tables, `aliases` may qualify columns."""
        if not self.allowed(node):
            return
        if type(node) in RULES:
            for found, hint, words in RULES[type(node)](node):
                self.refuse(node, found, hint, words)
        if isinstance(node, exp.Table):
            self.table(node, ctes)
            return
        if isinstance(node, exp.Column):
            self.column(node, aliases)
        if isinstance(node, exp.Placeholder):
            self.parameter(node)
        outer = aliases
        with_ = node.args.get("with_")
        if with_ is not None and self.allowed(with_):
            for cte in with_.expressions:
                self.visit(cte, ctes, frozenset())
                if not cte.args["alias"].columns:
                    self.columns_named(cte.this)
                ctes |= {cte.alias.lower()}
        if isinstance(node, exp.Select):
            aliases |= self.sources(node)
            self.aliases_reused(node)
        for part, child in _children(node):
            if part == "with_" or part not in PARTS[type(node)]:
                continue
            if isinstance(child, exp.From) and self.allowed(child):
                self.visit(child.this, ctes, outer)
            elif isinstance(child, exp.Join):
                self.join(child, ctes, outer, aliases)
            else:
                self.visit(child, ctes, aliases)

    def join(
        self, join: exp.Join, ctes: frozenset[str], outer: frozenset[str], aliases: frozenset[str]
    ) -> None:
        method = str(join.args.get("method") or "").upper()
        kind, side = join.kind.upper(), join.side.upper()
        odd = method or (kind if kind not in ("", "INNER", "OUTER", "CROSS") else "")
        conditions = bool(join.args.get("on") or join.args.get("using"))
        if odd:
            hints = {
                "ASOF": "join on a range and keep the latest row with `row_number()`",
                "SEMI": "write `where exists (select …)`",
                "ANTI": "write `where not exists (select …)`",
                "NATURAL": "name the columns with `using (…)`",
            }
            hint = hints.get(odd, "use inner, left, right, full or cross joins")
            self.refuse(join, f"`{odd.lower()} join` is not portable SQL", hint, odd)
            return
        if not conditions and kind != "CROSS" and (side or kind or not self.comma_before(join)):
            self.refuse(join, "a join without a condition is found", "add `on …` or `using (…)`", "JOIN")
        if self.allowed(join, ignore={"method"}):
            self.visit(join.this, ctes, outer)
            for part, child in _children(join):
                if part in ("on", "using"):
                    self.visit(child, ctes, aliases)

    def comma_before(self, join: exp.Join) -> bool:
        start = self.text.place(join)
        for token in reversed([t for t in self.text.tokens if t.start < start]):
            if token.token_type == TokenType.COMMA:
                return True
            if token.token_type == TokenType.JOIN:
                return False
        return False

    def allowed(self, node: exp.Expr, ignore: Container[str] = ()) -> bool:
        """Hold a node and its parts against the allow-list; true when it is worth looking below."""
        kind = type(node).__name__
        parts = PARTS.get(type(node))
        if parts is None:
            name = str(node.this) if isinstance(node, exp.Anonymous) else ""
            operator = None if kind in HINTS else self.text.operator(node)
            if operator:
                hint = "allowed are + - * / % || = <> < <= > >= and or not like in between is"
                self.refusals.append((operator.start, f"`{operator.text}` is not portable SQL", hint))
                return False
            words, hint = HINTS.get(kind, ("", "write it with the syntax that all engines share"))
            if name.lower() in CLOCKS:
                hint = REPEAT
            self.refuse(node, f"`{name or self.called(node, words)}` is not portable SQL", hint, words)
            return False
        for part, value in node.args.items():
            if value and part not in parts and part not in ignore:
                default = (part.strip("_").upper(), "leave it out")
                words, hint = HINTS.get(f"{kind}.{part}", HINTS.get(_kind(value), default))
                child = next((v for p, v in _children(node) if p == part), node)
                at = child if start_of(child) is not None else node
                self.refuse(at, f"`{words.lower()}` is not portable SQL", hint, words)
        return True

    def called(self, node: exp.Expr, words: str) -> str:
        if "start" in node.meta:
            return self.text.sql[node.meta["start"] : node.meta["end"] + 1]
        if words:
            return words.lower()
        return node.sql_name().lower() if isinstance(node, exp.Func) else node.key

    def table(self, table: exp.Table, ctes: frozenset[str]) -> None:
        hint = "read `formatted.x` or `exploitation.x`; files and functions belong in sources and steps"
        if not isinstance(table.this, exp.Identifier):
            name = self.called(table.this, "")
            self.refuse(table, f"`{name}(…)` is found where a table is expected", hint)
        elif table.catalog:
            found = f"`{table.catalog}.{table.db}.{table.name}` has three parts"
            self.refuse(table, found, "write `zone.table`")
        elif not table.db:
            start = self.text.place(table)
            if self.text.sql[start : start + 1] == "'":
                self.refuse(table, f"the file {table.name!r} is found where a table is expected", hint)
            elif table.name.lower() not in ctes:
                self.refuse(table, f"`{table.name}` has no zone and is no CTE", hint)
        elif table.db.lower() not in ZONES:
            self.refuse(table, f"`{table.db}.{table.name}` is in none of the zones a model reads", hint)
        else:
            self.inputs.add(f"{table.db}.{table.name}".lower())
        if alias := table.args.get("alias"):
            self.allowed(alias)

    def column(self, column: exp.Column, aliases: frozenset[str]) -> None:
        if column.db:
            hint = "name the table with `as`, and write `name.column`"
            self.refuse(column, f"`{column.db}.{column.table}.{column.name}` has too many parts", hint)
        elif column.table and column.table.lower() not in aliases:
            known = ", ".join(f"`{alias}`" for alias in sorted(aliases)) or "none"
            found = f"`{column.table}` is no table of this query"
            self.refuse(column, found, f"the tables in scope: {known}; fields of structs can't be read")

    def parameter(self, node: exp.Placeholder) -> None:
        name = str(node.this or "?")
        if name in self.parameters:
            self.used.add(name)
            return
        known = ", ".join(f"`${allowed}`" for allowed in sorted(self.parameters))
        hint = f"declared are {known}" if known else "declare it in the pipeline"
        at = next(
            (
                before.start
                for before, token in zip(self.text.tokens, self.text.tokens[1:], strict=False)
                if token.text == name and self.text.sql[before.start] in "$:"
            ),
            None,
        )
        if at is None:
            self.refuse(node, f"the parameter `{name}` is not declared", hint, name.upper())
        else:
            self.refusals.append((at, f"the parameter `${name}` is not declared", hint))

    def sources(self, select: exp.Select) -> frozenset[str]:
        """The names that may stand before a column; a subquery without one is refused."""
        names: set[str] = set()
        froms = [node for node in (select.args.get("from_"), *(select.args.get("joins") or [])) if node]
        for source in (node.this for node in froms):
            if isinstance(source, exp.Subquery):
                if not source.alias:
                    self.refuse(source, "a subquery has no name", "write `(select …) as name`", "(")
                elif not source.args["alias"].columns:
                    self.columns_named(source.this)
            if source.alias_or_name:
                names.add(source.alias_or_name.lower())
        return frozenset(names)

    def columns_named(self, query: exp.Expr) -> None:
        """Engines name an expression each in their own way, so it needs a name; and each name once."""
        seen: set[str] = set()
        for column in projections(query):
            name = output_name(column)
            if name == "":
                self.refuse(column, "a column has no name", "write `… as name`")
            elif name in seen:
                self.refuse(column, f"two columns are called `{name}`", "give one another name with `as`")
            seen.add(name or "")

    def aliases_reused(self, select: exp.Select) -> None:
        """DuckDB lets a query use its own aliases, the others take them for columns of its tables."""
        aliases = {
            column.alias.lower()
            for column in select.expressions
            if isinstance(column, exp.Alias)
            and column.alias.lower() not in {c.name.lower() for c in column.this.find_all(exp.Column)}
        }
        places = [*select.expressions, select.args.get("where"), select.args.get("having")]
        places += [join.args.get("on") for join in select.args.get("joins") or []]
        places += [
            ordered
            for ordered in (select.args["order"].expressions if select.args.get("order") else [])
            if not isinstance(ordered.this, exp.Column)
        ]
        for place in filter(None, places):
            for column in place.find_all(exp.Column):
                if not column.table and column.name.lower() in aliases and column.parent_select is select:
                    found = f"`{column.name}` is also the name of a column of the result"
                    hint = "write the table's name before it, or repeat the expression"
                    self.refuse(column, found, hint)


def _kind(value: object) -> str:
    first = value[0] if isinstance(value, list) else value
    return type(first).__name__


def _children(node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    for part, value in node.args.items():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, exp.Expr):
                yield part, child


def projections(query: exp.Expr) -> list[exp.Expr]:
    """The columns of a query's result; of a union, those of its first query."""
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    return list(query.expressions) if isinstance(query, exp.Select) else []


def output_name(column: exp.Expr) -> str | None:
    """The name of a result column; "" when it has none, None when it stands for many."""
    if column.is_star:
        return None
    return column.alias_or_name.lower() if isinstance(column, (exp.Alias, exp.Column)) else ""
