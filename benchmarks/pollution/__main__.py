"""What becomes of damaged CSV files in Backbone, DuckDB, Polars and pandas?

The files are those of `tests/formatted/pollution`, judged in the same way. The peers get those that need no
setting. `--update` writes the tables into docs/csv-pollution.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from pollution.every_file import polluted_files
from pollution.outcome import EXACT, QUARANTINED, SILENT, Outcome, outcome
from pollution.polluted import Polluted
from pollution.reading import Reading, read_each
from pollution.tables import tables

import benchmarks.pollution  # noqa: F401 - the tests' folders
from benchmarks.pollution import page
from benchmarks.pollution.peers import PEERS, read

PRODUCT = "Backbone"
PAGE = Path(__file__).parents[2] / "docs" / "csv-pollution.md"
PACKAGES = ("duckdb", "polars", "pandas")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one-in", type=int, default=1, metavar="N", help="only one file of so many")
    parser.add_argument("--update", action="store_true", help="write the tables into the page")
    given = parser.parse_args()
    if given.update and given.one_in > 1:
        parser.error("--update needs every file: leave out --one-in")
    outcomes: dict[str, dict[str, Counter[str]]] = {name: {} for name in (PRODUCT, *PEERS)}
    judged: list[tuple[Polluted, Reading, Outcome]] = []

    def count(tool: str, one: Polluted, kind: str) -> None:
        outcomes[tool].setdefault(one.family, Counter())[kind] += 1

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "file.csv"
        for table in tables():
            files = [one for one in polluted_files(table) if one.lot % given.one_in == 0]
            for one, reading in read_each(files, Path(scratch) / "projects"):
                found = outcome(one, reading)
                count(PRODUCT, one, found.kind)
                judged.append((one, reading, found))
                if found.kind == SILENT:
                    print(f"silent: {one}: {found.problem}\n  {one.text[:300]!r}", file=sys.stderr)
            for one in files:
                if one.settings:
                    continue
                path.write_bytes(one.data)
                for peer in PEERS:
                    count(peer, one, _judged(one, read(peer, path, table)).kind)
            print(f"{table.name}: {len(files):,} files", file=sys.stderr)
    part = f" One file in {given.one_in} was read." if given.one_in > 1 else ""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    parts = {
        "totals": f"{page.totals(outcomes)}\n\nWith {versions}.{part}",
        "tables": page.by_table(judged),
        "families": page.families(outcomes),
        "proofs": page.proofs(judged),
        "exempt": page.exempt(judged),
    }
    for name, text in parts.items():
        if given.update:
            page.write_between(PAGE, name, text)
        else:
            print(f"\n{text}")


def _judged(one: Polluted, reading: Reading) -> Outcome:
    """As for Backbone; of rows that were rejected only the number counts, not their texts."""
    reading = replace(reading, knows_null=False)
    formatted, clean = Counter(reading.rows), Counter(one.rows)
    if reading.refused is None and not formatted - clean:
        lost = (clean - formatted).total()
        if not lost and not reading.quarantined:
            return Outcome(EXACT)
        if lost <= len(reading.quarantined):
            return Outcome(QUARANTINED)
    return outcome(one, reading)


if __name__ == "__main__":
    main()
