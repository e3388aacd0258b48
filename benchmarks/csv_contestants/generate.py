"""Write the CSV file that all contestants read: `generate.py ROWS FILE`. The same rows every time."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

ROWS = """
select
    cast(536365 + i // 20 as varchar) as invoice_id,
    case when hash(i, 2) % 4 > 0 then cast(12000 + hash(i, 3) % 6000 as varchar) || '.0' end as customer_id,
    cast(1 + hash(i, 4) % 12 as bigint) * case when hash(i, 5) % 50 = 0 then -1 else 1 end as quantity,
    (pence // 100) || '.' || lpad(cast(pence % 100 as varchar), 2, '0') as unit_price,
    strftime(timestamp '2025-01-01' + to_seconds(i * 31536000 // $rows), '%Y-%m-%d %H:%M:%S') as purchased_at
from (select i, cast(29 + hash(i, 6) % 1971 as bigint) as pence from range($rows) as _(i))
order by i
"""


def main(rows: int, file: Path) -> None:
    part = file.with_suffix(".part")
    query = ROWS.replace("$rows", str(rows))
    duckdb.execute(f"copy ({query}) to '{part}' (format csv, header)")
    part.rename(file)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
