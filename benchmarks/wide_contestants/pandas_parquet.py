"""pandas with the types given, one Parquet file per CSV file: `pandas_parquet.py FOLDER OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

KINDS = ["string", "Int64", "Float64", "string", "Float64", "boolean", "string", "Int64"]
TIMES = (3, 6)  # of eight columns, those that are dates or instants


def main(folder: Path, out: Path) -> None:
    out.mkdir(parents=True)
    for file in sorted(folder.glob("*.csv")):
        names = pd.read_csv(file, nrows=0).columns
        types = {name: KINDS[i % 8] for i, name in enumerate(names) if i % 8 not in TIMES}
        times = [name for i, name in enumerate(names) if i % 8 in TIMES]
        table = pd.read_csv(file, dtype=types, parse_dates=times, keep_default_na=False, na_values=[""])
        table.to_parquet(out / f"{file.stem}.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
