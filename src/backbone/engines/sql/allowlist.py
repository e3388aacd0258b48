"""What SQL all engines share, as data: the expression classes, the parts of each, types and units.

What isn't named here is refused; `HINTS` says what to write in its place.
"""

from __future__ import annotations

from sqlglot import exp

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
        ((exp.Lower, exp.Upper, exp.Length, exp.Abs, exp.Floor, exp.Ceil, exp.Exp), "this"),
        ((exp.Round,), "this decimals"),
        ((exp.Trim,), "this expression position"),
        ((exp.Substring,), "this start length"),
        ((exp.SplitPart,), "this delimiter part_index"),
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
