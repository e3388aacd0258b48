"""Polars with the schema given, one Parquet file per CSV file: `polars_parquet.py FOLDER OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

KINDS = [pl.String, pl.Int64, pl.Decimal(12, 3), pl.Datetime, pl.Float64, pl.Boolean, pl.Date, pl.Int64]


def main(folder: Path, out: Path) -> None:
    out.mkdir(parents=True)
    for file in sorted(folder.glob("*.csv")):
        names = pl.read_csv(file, n_rows=0).columns
        schema = {name: KINDS[i % 8] for i, name in enumerate(names)}
        pl.read_csv(file, schema=schema, try_parse_dates=True).write_parquet(out / f"{file.stem}.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
