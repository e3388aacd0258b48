"""Laws of a staging: a table of known types, to which rows are added query by query."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from backbone.engines.protocol import Engine


def what_is_added_to_a_staging_is_cast(engine: Engine, folder: Path) -> None:
    schema = pa.schema([("small", pa.int16()), ("share", pa.float64()), ("name", pa.string())])
    with engine.staging(schema) as staging:
        assert staging.add("select cast(7 as bigint) as a, 1 as b, 'x' as c") == 1
        assert staging.add("select cast(null as bigint) as a, 0.5 as b, $name as c", {"name": "y"}) == 1
        assert staging.add("select 1 as a, 1 as b, 'z' as c where 1 = 2") == 0
        found = staging.finish()
    assert found.rows == 2
    assert engine.describe(f"select * from {found}") == schema
    assert engine.fetch(f"select * from {found} order by name") == [(7, 1.0, "x"), (None, 0.5, "y")]


def what_does_not_fit_a_staging_is_an_error(engine: Engine, folder: Path) -> None:
    schema = pa.schema([("small", pa.int16())])
    for value in ("cast(70000 as bigint)", "'many'"):
        failed = False
        try:
            with engine.staging(schema) as staging:
                staging.add("select 1 as small")
                staging.add(f"select {value} as small")
                staging.finish()
        except Exception:
            failed = True
        assert failed, f"{value} was taken for a 16-bit number"
    with engine.staging(schema) as staging:
        staging.add("select 2 as small")
        found = staging.finish()
    assert engine.fetch(f"select small from {found}") == [(2,)], "rows of a staging that failed are there"
