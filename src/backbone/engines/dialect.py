"""The portable SQL of models: what is allowed, what a model reads, how other engines say it.

A model is one `SELECT` in DuckDB's dialect. SQLGlot translates it to Spark 4 and PostgreSQL 15, but passes
what it doesn't know through without a word, so only the syntax in `PARTS` is allowed: the expression
classes, and of each the parts that all three engines share.

Engines must run `translate`'s text, DuckDB too, because it also settles what differs silently:

- `a / b` is a double on every engine, and a division (or `%`) by zero is NULL.
- `avg`, `stddev_*` and `var_*` are computed in doubles.
- NULLs sort last, ascending and descending, unless the model says otherwise.
- `concat` skips NULLs; `||` with a NULL is NULL.
- `round` goes half away from zero; on PostgreSQL by way of `numeric`.
- `extract` gives a whole number; units whose meaning differs (`second`, `dow`, `epoch`) are refused.
- `date_trunc` of a visible date gives a timestamp.
- Names are lower case and quoted, so that a column called `user` stays a column.

What can't be seen without the schema stays with the author: text is compared by bytes only in a database
with the collation `C`; a fraction cast to an integer is rounded by DuckDB and cut off by Spark (refused
where the fraction is visible); the type of `sum` over integers and of `date ± interval` differs.

The parameters of translated text are `$name` for DuckDB, `:name` for Spark and `%(name)s` for psycopg, where
`%` elsewhere is doubled: pass a mapping, even an empty one.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ErrorLevel, ParseError, TokenError, UnsupportedError

from backbone.errors import PipelineError

ZONES = frozenset({"formatted", "exploitation"})
WINDOW_PARAMETERS = frozenset({"window_start", "window_end"})

BINARY = "this expression"
PARTS: dict[type[exp.Expr], frozenset[str]] = {
    cls: frozenset(parts.split())
    for classes, parts in (
        # queries
        ((exp.Select,), "with_ expressions distinct from_ joins where group having order limit offset"),
        ((exp.Union, exp.Intersect, exp.Except), "with_ this expression distinct order limit offset"),
        ((exp.Subquery,), "this alias order limit offset"),
        ((exp.With, exp.Group, exp.Order, exp.Distinct), "expressions"),
        ((exp.CTE, exp.Alias), "this alias"),
        ((exp.Table,), "this db catalog alias"),
        ((exp.TableAlias,), "this columns"),
        ((exp.Join,), "this on using side kind"),
        ((exp.From, exp.Where, exp.Having, exp.Exists), "this"),
        ((exp.Limit, exp.Offset), "expression"),
        ((exp.Ordered,), "this desc nulls_first"),
        # values
        ((exp.Column,), "this table db catalog"),
        ((exp.Identifier,), "this quoted"),
        ((exp.Literal,), "this is_string"),
        ((exp.Star, exp.Null), ""),
        ((exp.Boolean, exp.Placeholder, exp.Var, exp.Paren, exp.Not, exp.Neg), "this"),
        ((exp.Interval,), "this unit"),
        ((exp.Cast,), "this to"),
        ((exp.DataType,), "this expressions nested"),
        ((exp.DataTypeParam,), "this"),
        # operators
        ((exp.And, exp.Or, exp.Add, exp.Sub, exp.Mul, exp.Mod), BINARY),
        ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), BINARY),
        ((exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.Escape), BINARY),
        ((exp.Div,), "this expression typed safe"),
        ((exp.DPipe,), "this expression safe"),
        ((exp.Between,), "this low high"),
        ((exp.In,), "this expressions query"),
        ((exp.Case,), "this ifs default"),
        ((exp.If,), "this true"),
        # functions
        ((exp.Coalesce,), "this expressions"),
        ((exp.Greatest, exp.Least), "this expressions ignore_nulls"),
        ((exp.Nullif,), BINARY),
        ((exp.Lower, exp.Upper, exp.Length, exp.Abs, exp.Floor, exp.Ceil), "this"),
        ((exp.Round,), "this decimals"),
        ((exp.Trim,), "this expression position"),
        ((exp.Substring,), "this start length"),
        ((exp.Concat,), "expressions safe coalesce"),
        ((exp.Extract,), BINARY),
        ((exp.TimestampTrunc, exp.DateTrunc), "this unit"),
        # aggregates and windows
        ((exp.Count,), "this big_int"),
        ((exp.Sum, exp.Avg, exp.Min, exp.Max), "this"),
        ((exp.StddevPop, exp.StddevSamp, exp.Stddev, exp.VariancePop, exp.Variance), "this"),
        ((exp.Filter,), BINARY),
        ((exp.Window,), "this partition_by order spec over"),
        ((exp.WindowSpec,), "kind start start_side end end_side"),
        ((exp.RowNumber, exp.Rank, exp.DenseRank), ""),
        ((exp.FirstValue, exp.LastValue), "this"),
        ((exp.Lag, exp.Lead), "this offset default"),
    )
    for cls in classes
}
ALLOWED = frozenset(PARTS)

TYPES = frozenset(
    {
        *(exp.DType.BOOLEAN, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT),
        *(exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.TEXT),
        *(exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ),
    }
)
INTERVAL_UNITS = frozenset(["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"])
TRUNC_UNITS = INTERVAL_UNITS | {"QUARTER"}
EXTRACT_UNITS = frozenset(["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOY", "HOUR", "MINUTE"])
ORDERED_WINDOWS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue)
AGGREGATES = (
    *(exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max),
    *(exp.StddevPop, exp.StddevSamp, exp.Stddev, exp.VariancePop, exp.Variance),
)

REPEAT = "its value changes from run to run; use `$window_end`, or a column"
COLUMNS_BY_NAME = "write out the columns"

# What refused syntax is called, the words that find it in the text, and the portable way to write it;
# by class, or by class and part.
HINTS: dict[str, tuple[str, str]] = {
    "Select.qualify": ("QUALIFY", "number the rows in a CTE and filter it with `where` in the outer query"),
    "Select.sample": ("SAMPLE", "a sample changes from run to run; filter on a column"),
    "Table.sample": ("TABLESAMPLE", "a sample changes from run to run; filter on a column"),
    "Select.windows": ("WINDOW", "write the window out after `over`"),
    "Select.laterals": ("LATERAL", "join a CTE on its key"),
    "Table.pivots": ("PIVOT", "write one `sum(…) filter (where …)` per column"),
    "Table.joins": ("JOIN", "write joins one after another, without brackets"),
    "Pivot": ("PIVOT", "write one `sum(…) filter (where …)` per column"),
    "Group.all": ("GROUP BY ALL", "list the columns of `group by`"),
    "Group.totals": ("TOTALS", "list the columns of `group by`"),
    "Rollup": ("ROLLUP", "write one query per level and `union all` them"),
    "Cube": ("CUBE", "write one query per level and `union all` them"),
    "GroupingSets": ("GROUPING SETS", "write one query per level and `union all` them"),
    "Distinct.on": ("DISTINCT ON", "number the rows with `row_number() over (partition by … order by …)`"),
    "Star.except_": ("EXCLUDE", COLUMNS_BY_NAME),
    "Star.replace": ("REPLACE", COLUMNS_BY_NAME),
    "Star.rename": ("RENAME", COLUMNS_BY_NAME),
    "Columns": ("COLUMNS", COLUMNS_BY_NAME),
    "Union.by_name": ("BY NAME", "write out the columns of both queries in the same order"),
    "With.recursive": ("RECURSIVE", "do what recurs in a Python step"),
    "CTE.materialized": ("MATERIALIZED", "leave `materialized` out"),
    "Lateral": ("LATERAL", "join a CTE on its key"),
    "TryCast": ("TRY_CAST", "let the contract type the column, then `cast`"),
    "IntDiv": ("//", "write `floor(a / b)`"),
    "Pow": ("POWER", "write `x * x`, or do it in a Python step"),
    "ILike": ("ILIKE", "write `lower(x) like '…'`"),
    "If": ("IF", "write `case when … then … else … end`"),
    "Anonymous": ("", "no portable function has this name; a Python step can do what SQL can't"),
    "Rand": ("", REPEAT),
    "Uuid": ("", REPEAT),
    "CurrentDate": ("CURRENT_DATE", REPEAT),
    "CurrentTime": ("CURRENT_TIME", REPEAT),
    "CurrentTimestamp": ("CURRENT_TIMESTAMP", REPEAT),
    "CurrentDatetime": ("CURRENT_DATETIME", REPEAT),
    "Localtime": ("LOCALTIME", REPEAT),
    "Localtimestamp": ("LOCALTIMESTAMP", REPEAT),
    "Array": ("[", "keep one value per row"),
    "Bracket": ("[", "keep one value per row"),
    "Struct": ("{", "keep one value per column"),
    "ToMap": ("MAP", "keep one value per column"),
    "Map": ("MAP", "keep one value per column"),
    "Lambda": ("->", "do it in a Python step"),
    "Tuple": ("(", "compare or list the columns one by one"),
    "IgnoreNulls": ("IGNORE NULLS", "filter the NULLs out in a CTE"),
    "Limit.limit_options": ("LIMIT", "give a number of rows"),
    "Fetch": ("FETCH", "write `limit n`"),
    "WindowSpec.exclude": ("EXCLUDE", "do without `exclude`"),
    "In.field": ("IN", "list the values in brackets"),
    "In.unnest": ("IN", "list the values in brackets"),
    "Select.locks": ("FOR", "leave `for update` out"),
    "Window.alias": ("OVER", "write the window out after `over`"),
    "AtTimeZone": ("AT TIME ZONE", "instants are in UTC already"),
    "Any": ("ANY", "write `in (…)` or `exists (…)`"),
    "All": ("ALL", "write `not exists (…)`"),
    "Values": ("VALUES", "write one `select` per row and `union all` them, or make it a source"),
    "Unnest": ("UNNEST", "keep one value per row"),
    "Explode": ("UNNEST", "keep one value per row"),
    "GroupConcat": ("STRING_AGG", "do it in a Python step"),
    "Order.this": ("ORDER BY", "an aggregate takes its rows in any order"),
}
CLOCKS = frozenset(
    ["now", "today", "get_current_timestamp", "transaction_timestamp", "uuid", "gen_random_uuid"]
)


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


@dataclass(frozen=True)
class ParsedQuery:
    """What a model's SQL says about itself.

    Attributes
    ----------
    inputs : the tables it reads, as `zone.table`, sorted; CTEs and aliases excluded.
    parameters : the names after `$`.
    normalised : the same for texts that differ in white space, comments and case only.
    fingerprint : sha256 of `normalised`, in hexadecimal.
    output : the names of the result's columns; None where `*` leaves them to the schema.
    """

    inputs: tuple[str, ...]
    parameters: frozenset[str]
    normalised: str
    fingerprint: str
    output: tuple[str, ...] | None


@dataclass(frozen=True)
class Conserved:
    """A sum that a model must keep: an aggregate over one source table.

    Attributes
    ----------
    expression : the aggregate.
    table : `zone.table`.
    where : the condition on the table's rows; None when all count.
    """

    expression: str
    table: str
    where: str | None


def parse_query(sql: str, name: str, parameters: Container[str] = WINDOW_PARAMETERS) -> ParsedQuery:
    """Parse a model, and refuse what isn't portable.

    Parameters
    ----------
    sql : one `SELECT` in DuckDB's dialect.
    name : the file's name, for messages.
    parameters : the declared names after `$`.

    Raises
    ------
    SqlRefused
        At the first place of the text that breaks a rule.

    Examples
    --------
    >>> query = parse_query(
    ...     "select r.user_id, count(*) as reviews from formatted.review r "
    ...     "where r.reviewed_at < $window_end group by r.user_id", "reviews.sql")
    >>> query.inputs, query.output, sorted(query.parameters)
    (('formatted.review',), ('user_id', 'reviews'), ['window_end'])
    >>> parse_query("select user_id, count(*) as n from formatted.review group by all", "reviews.sql")
    Traceback (most recent call last):
    ...
    backbone.engines.dialect.SqlRefused: reviews.sql, line 1, column 53: `group by all` is not portable SQL
    <BLANKLINE>
        select user_id, count(*) as n from formatted.review group by all
                                                            ^
    List the columns of `group by`.
    Next: edit reviews.sql
    """
    text = _Text(sql, name)
    query = text.query()
    check = _Check(text, parameters)
    check.query(query)
    check.finish()
    normalised = _normalised(query)
    fingerprint = hashlib.sha256(normalised.encode()).hexdigest()
    names = [_output_name(column) for column in _projections(query)]
    output = tuple(name for name in names if name)
    return ParsedQuery(
        tuple(sorted(check.inputs)),
        frozenset(check.used),
        normalised,
        fingerprint,
        output if len(output) == len(names) else None,
    )


def translate(sql: str, to: Literal["duckdb", "spark", "postgres"]) -> str:
    """The text that gives a model's result on an engine.

    Parameters
    ----------
    sql : what `parse_query` has accepted; this function doesn't check again.
    to : the engine's dialect.

    Raises
    ------
    SqlRefused
        When `sql` can't be parsed.
    PipelineError
        When SQLGlot says that the engine can't express it.

    Examples
    --------
    >>> translate("select a / b as ratio from formatted.x where at < $window_end order by a", "duckdb")
    'SELECT "a" / NULLIF("b", 0) AS "ratio" FROM "formatted"."x" WHERE "at" < $window_end ORDER BY "a"'
    >>> translate("select a / b as ratio from formatted.x order by a", "spark")
    'SELECT CAST(`a` AS DOUBLE) / NULLIF(`b`, 0) AS `ratio` FROM `formatted`.`x` ORDER BY `a` NULLS LAST'
    >>> translate("select 'all' as k from formatted.x where at < $window_end and name like 'a%'", "postgres")
    'SELECT \\'all\\' AS "k" FROM "formatted"."x" WHERE "at" < %(window_end)s AND "name" LIKE \\'a%%\\''
    """
    query = _Text(sql, "query").query().copy()
    for node in reversed(list(query.walk())):  # what is inside first: replacing copies it
        if type(node) in SETTLED:
            SETTLED[type(node)](node, to)
    try:
        return query.sql(
            dialect=to, normalize=True, identify=True, comments=False, unsupported_level=ErrorLevel.RAISE
        )
    except UnsupportedError as error:
        raise PipelineError("query", f"{to} can't express it: {error}") from error


def parse_conserves(text: str, name: str) -> Conserved:
    """Parse what a model must conserve: `aggregate from zone.table [where condition]`.

    Parameters
    ----------
    text : the aggregate, the table and the condition.
    name : where it is written, for messages.

    Raises
    ------
    SqlRefused
        When it isn't an aggregate over one table, in portable SQL.

    Examples
    --------
    >>> parse_conserves("sum(quantity) from formatted.purchase where customer_id is not null", "spend")
    Conserved(expression='SUM(quantity)', table='formatted.purchase', where='NOT customer_id IS NULL')
    """
    shape = (
        "write `aggregate from zone.table where condition`, such as `sum(quantity) from formatted.purchase`"
    )
    parsed = _Text(f"select {text}", name, prefix=len("select "))
    query = parsed.query()
    check = _Check(parsed, frozenset())
    check.query(query, named=False)
    extra = {key for key, value in query.args.items() if value} - {"expressions", "from_", "where"}
    columns = query.expressions
    if extra or len(columns) != 1 or not query.args.get("from_") or list(query.find_all(exp.Subquery)):
        check.refuse(query, "this is not one aggregate over one table", shape)
    elif isinstance(columns[0], exp.Alias) or columns[0].find(exp.Window):
        check.refuse(columns[0], "an aggregate without a name or a window is expected", shape)
    elif not columns[0].find(*AGGREGATES):
        check.refuse(columns[0], "no aggregate is found", shape)
    check.finish()
    where = query.args.get("where")
    table = query.args["from_"].this
    return Conserved(
        _normalised(columns[0]),
        f"{table.db}.{table.name}".lower(),
        _normalised(where.this) if where else None,
    )


def _normalised(node: exp.Expr) -> str:
    node = node.copy()
    for spec in node.find_all(exp.WindowSpec):
        for part, value in spec.args.items():
            if isinstance(value, str):
                spec.set(part, value.upper())
    return node.sql(dialect="duckdb", normalize=True, comments=False)


# --- the text, and places in it ---


class _Text:
    """A model's text with its tokens, which know where a word stands when the parsed tree doesn't."""

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
        anchor = _start(node)
        above = node.parent
        while anchor is None and above is not None:
            anchor, above = _start(above), above.parent
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
        right = _start(node.expression) if isinstance(node, exp.Binary) else None
        if right is None or "start" in node.meta:
            return None
        return next((token for token in reversed(self.tokens) if token.start < right), None)


def _start(node: exp.Expr) -> int | None:
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


# --- the rules ---


class _Check:
    """Walks a query with the names in scope, and collects what is refused."""

    def __init__(self, text: _Text, parameters: Container[str]) -> None:
        self.text, self.declared = text, parameters
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
        for found, hint, words in RULES.get(type(node), _no_rule)(node):
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
                at = child if _start(child) is not None else node
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
        if name in self.declared and node.this:
            self.used.add(name)
            return
        known = (
            sorted(self.declared) if isinstance(self.declared, (frozenset, set, list, tuple, dict)) else []
        )
        hint = (
            "declared are " + ", ".join(f"`${p}`" for p in known) if known else "declare it in the pipeline"
        )
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
        for column in _projections(query):
            name = _output_name(column)
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


def _projections(query: exp.Expr) -> list[exp.Expr]:
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    return list(query.expressions) if isinstance(query, exp.Select) else []


def _output_name(column: exp.Expr) -> str | None:
    """The name of a result column; "" when it has none, None when it stands for many."""
    if column.is_star:
        return None
    return column.alias_or_name.lower() if isinstance(column, (exp.Alias, exp.Column)) else ""


Complaint = tuple[str, str, str]  # what is found, the portable way, the words that find it
Rule = Callable[[exp.Expr], Iterator[Complaint]]


def _no_rule(_: exp.Expr) -> Iterator[Complaint]:
    return iter(())


def _limited(node: exp.Expr) -> Iterator[Complaint]:
    if (node.args.get("limit") or node.args.get("offset")) and not node.args.get("order"):
        word = "LIMIT" if node.args.get("limit") else "OFFSET"
        yield f"`{word.lower()}` without `order by` keeps any rows", "add `order by`", word


def _star(node: exp.Expr) -> Iterator[Complaint]:
    if not isinstance(node.parent, (exp.Select, exp.Count, exp.Column)):
        yield "`*` is found where one column is expected", COLUMNS_BY_NAME, ""


def _identifier(node: exp.Expr) -> Iterator[Complaint]:
    if node.args.get("quoted") and node.name != node.name.lower():
        yield f'"{node.name}" has capitals, which engines treat differently', "write it in lower case", ""


def _ordered(node: exp.Expr) -> Iterator[Complaint]:
    if isinstance(node.this, exp.Var):
        yield "`order by all` is not portable SQL", "list the columns of `order by`", "ORDER BY ALL"


def _case_branch(node: exp.Expr) -> Iterator[Complaint]:
    if not isinstance(node.parent, exp.Case):
        yield "`if` is not portable SQL", HINTS["If"][1], "IF"


def _distinct(node: exp.Expr) -> Iterator[Complaint]:
    if len(node.expressions) > 1:
        hint = "count the rows of `select distinct …` in a CTE"
        yield "`distinct` over several columns is not portable SQL", hint, "DISTINCT"


def _counts(node: exp.Expr) -> Iterator[Complaint]:
    if not node.this:
        yield "`count()` is not portable SQL", "write `count(*)`", ""


def _like(node: exp.Expr) -> Iterator[Complaint]:
    if "\\" in node.expression.name and isinstance(node.expression, exp.Literal):
        hint = "only DuckDB takes it for itself; write `like … escape '!'` with another sign"
        yield "a backslash is found in a pattern", hint, ""


def _interval(node: exp.Expr) -> Iterator[Complaint]:
    unit = node.text("unit").upper()
    whole = isinstance(node.this, exp.Literal) and re.fullmatch(r"-?\d+", node.this.name)
    if not whole or unit.removesuffix("S") not in INTERVAL_UNITS:
        yield (
            "this interval is not portable SQL",
            "write a whole number and a unit: `interval '2 hours'`",
            "INTERVAL",
        )


def _substring(node: exp.Expr) -> Iterator[Complaint]:
    start = node.args.get("start")
    if isinstance(start, exp.Neg) or (isinstance(start, exp.Literal) and start.name == "0"):
        yield "engines differ on a substring that starts before 1", "count from 1", ""


def _unit(units: frozenset[str], part: str) -> Rule:
    def rule(node: exp.Expr) -> Iterator[Complaint]:
        unit = node.text(part).upper()
        if unit not in units:
            allowed = ", ".join(sorted(units)).lower()
            yield f"the unit `{unit.lower()}` is not portable", f"allowed are {allowed}", unit

    return rule


def _cast(node: exp.Expr) -> Iterator[Complaint]:
    to = node.args["to"]
    kind = to.this if isinstance(to, exp.DataType) else None
    if kind not in TYPES:
        hint = (
            "use boolean, smallint, integer, bigint, real, double, decimal(p, s), text, date, "
            "timestamp or timestamptz"
        )
        name = to.sql(dialect="duckdb").lower()
        yield f"the type `{name}` is not portable", hint, name.upper()
    elif kind in exp.DataType.INTEGER_TYPES and _fraction(node.this):
        hint = "DuckDB rounds and Spark cuts off; write `cast(round(…) as …)` or `cast(floor(…) as …)`"
        yield "a fraction is cast to a whole number", hint, ""


def _fraction(node: exp.Expr) -> bool:
    """Whether a value visibly has decimals."""
    if isinstance(node, (exp.Div, exp.Avg)):
        return True
    if isinstance(node, exp.Literal):
        return not node.is_string and not node.name.isdigit()
    if isinstance(node, exp.Cast):
        return node.to.this in exp.DataType.REAL_TYPES
    if isinstance(node, (exp.Paren, exp.Neg)):
        return _fraction(node.this)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        return _fraction(node.this) or _fraction(node.expression)
    return False


def _window(node: exp.Expr) -> Iterator[Complaint]:
    if isinstance(node.this, ORDERED_WINDOWS) and not node.args.get("order"):
        yield "this window function needs an order", "write `over (… order by …)`", ""


def _frame(node: exp.Expr) -> Iterator[Complaint]:
    if str(node.args.get("kind")).upper() not in ("ROWS", "RANGE"):
        yield "`groups` frames are not portable SQL", "use `rows` or `range`", "GROUPS"


RULES: dict[type[exp.Expr], Rule] = {
    exp.Select: _limited,
    exp.Union: _limited,
    exp.Intersect: _limited,
    exp.Except: _limited,
    exp.Subquery: _limited,
    exp.Star: _star,
    exp.Identifier: _identifier,
    exp.Ordered: _ordered,
    exp.If: _case_branch,
    exp.Distinct: _distinct,
    exp.Count: _counts,
    exp.Like: _like,
    exp.Interval: _interval,
    exp.Substring: _substring,
    exp.Extract: _unit(EXTRACT_UNITS, "this"),
    exp.TimestampTrunc: _unit(TRUNC_UNITS, "unit"),
    exp.DateTrunc: _unit(TRUNC_UNITS, "unit"),
    exp.Cast: _cast,
    exp.Window: _window,
    exp.WindowSpec: _frame,
}


# --- what differs silently, settled ---


def _double(node: exp.Expr) -> exp.Expr:
    return exp.cast(node.copy(), exp.DType.DOUBLE)


def _settle_division(node: exp.Expr, to: str) -> None:
    divisor = node.expression
    if not isinstance(divisor.unnest(), exp.Nullif) and not _nonzero(divisor):
        divisor.replace(exp.Nullif(this=divisor.unnest().copy(), expression=exp.Literal.number(0)))
    if isinstance(node, exp.Div):
        node.set("safe", False)
        if to != "duckdb":
            node.this.replace(_double(node.this))
    elif to == "postgres":  # a bare % would be taken for a parameter
        node.replace(exp.Anonymous(this="MOD", expressions=[node.this.copy(), node.expression.copy()]))


def _nonzero(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) != 0


def _settle_aggregate(node: exp.Expr, to: str) -> None:
    if to == "postgres" or (to == "spark" and isinstance(node, exp.Avg)):
        values = node.this.expressions if isinstance(node.this, exp.Distinct) else [node.this]
        for value in values:
            value.replace(_double(value))


def _settle_round(node: exp.Expr, to: str) -> None:
    if to == "postgres":
        node.this.replace(exp.cast(node.this.copy(), exp.DType.DECIMAL))


def _settle_extract(node: exp.Expr, to: str) -> None:
    if to == "postgres":
        node.replace(exp.cast(node.copy(), exp.DType.BIGINT))


def _settle_trunc(node: exp.Expr, to: str) -> None:
    unit = exp.Var(this=node.text("unit").upper())
    value = node.this.copy()
    if to == "postgres":
        value = exp.cast(value, exp.DType.TIMESTAMP)
    node.replace(exp.TimestampTrunc(this=value, unit=unit))


def _settle_percent(node: exp.Expr, to: str) -> None:
    if to == "postgres" and "%" in node.name:
        node.set("this", node.name.replace("%", "%%"))


SETTLED: dict[type[exp.Expr], Callable[[exp.Expr, str], None]] = {
    exp.Div: _settle_division,
    exp.Mod: _settle_division,
    exp.Avg: _settle_aggregate,
    exp.StddevPop: _settle_aggregate,
    exp.StddevSamp: _settle_aggregate,
    exp.Stddev: _settle_aggregate,
    exp.VariancePop: _settle_aggregate,
    exp.Variance: _settle_aggregate,
    exp.Round: _settle_round,
    exp.Extract: _settle_extract,
    exp.DateTrunc: _settle_trunc,
    exp.Literal: _settle_percent,
    exp.Identifier: _settle_percent,
}
