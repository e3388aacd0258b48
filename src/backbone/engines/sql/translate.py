"""What each engine is sent for a model: the same result from all of them.

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

from sqlglot.errors import ErrorLevel, UnsupportedError

from backbone.engines.sql.dialects import Dialect
from backbone.engines.sql.rewrite import rewrite
from backbone.engines.sql.text import SqlText
from backbone.errors import PipelineError


def translate(sql: str, to: Dialect) -> str:
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
    query = rewrite(SqlText(sql, "query").query(), to)
    try:
        return query.sql(
            dialect=to, normalize=True, identify=True, comments=False, unsupported_level=ErrorLevel.RAISE
        )
    except UnsupportedError as error:
        raise PipelineError("query", f"{to} can't express it: {error}") from error
