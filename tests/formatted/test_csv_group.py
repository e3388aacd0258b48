"""Small CSV files that are read in one statement: each with its own rows, lines and accounts."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.raw_file import RawFile
from backbone.formatted import file_group
from conftest import HEADER, ONE, THREE, TWO, Trial

OF_FILE = "join landing.batch b on b.batch = x._batch order by 1, 2"
ROWS = f"select b.name, x._row, x._line, sale_id from formatted.sale x {OF_FILE}"
BAD = f"select b.name, x.line, x._row, x.raw, x.reasons from quarantine.sale x {OF_FILE}"
FILES: Mapping[str, str | bytes] = {
    "a.csv": HEADER + ONE + TWO,
    "b.csv": HEADER + '3,"long\ntea",1,2026-01-01\n\n4,tea,-1,2026-01-01\n5,tea,1,2026-01-02\n',
    "c.csv": HEADER,
    "d.csv": HEADER + "6,tea,1,2026-01-02\n7,tea\n8,tea,1,2026-01-02\n",
    "e.csv": "item,sale_id,price,sold_at\ncake,9,1,2026-01-03\n",
    "f.csv.gz": gzip.compress((HEADER + "10,tea,1,2026-01-03\n").encode()),
    "g.csv": (HEADER + "11,tea,1,2026-01-03\n12,tea,x,2026-01-03\n").replace("\n", "\r\n"),
    "h.csv": (HEADER + "13,tea,1,2026-01-03\n").replace("\n", "\r"),
    "i.csv": HEADER + THREE.replace("3,", "14,"),
}
FOUND = [
    ("a.csv", 0, 2, 1),
    ("a.csv", 1, 3, 2),
    ("b.csv", 0, 2, 3),
    ("b.csv", 2, 6, 5),
    ("d.csv", 0, 2, 6),
    ("d.csv", 1, 4, 8),
    ("e.csv", 0, 2, 9),
    ("f.csv.gz", 0, 2, 10),
    ("g.csv", 0, 2, 11),
    ("h.csv", 0, 2, 13),
    ("i.csv", 0, 2, 14),
]
TURNED_AWAY = [
    ("b.csv", 5, 1, "4,tea,-1,2026-01-01", ["price: -1 breaks price >= 0"]),
    ("d.csv", 3, None, "7,tea", ["the line has 2 fields, expected 4"]),
    ("g.csv", 3, 1, "12,tea,x,2026-01-03", ["price: 'x' is not a number"]),
]


def found(trial: Trial) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    return trial.rows(ROWS), trial.rows(BAD)


@pytest.mark.parametrize("most", [1, 2, 500])
def test_files_are_read_as_if_alone(trial: Trial, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(file_group, "MOST_FILES", most)
    groups: list[int] = []
    load = Database.load_files

    def counted(self: Database, name: str, files: Sequence[RawFile], *sql: Any) -> list[int]:
        groups.append(len(files))
        return load(self, name, files, *sql)

    monkeypatch.setattr(Database, "load_files", counted)
    for name, data in FILES.items():
        trial.drop(data, name)
    trial.run_well()
    assert found(trial) == (FOUND, TURNED_AWAY)
    assert trial.accounted() == (14, 11, 3, 0)
    assert groups == {1: [], 2: [2, 2, 2], 500: [7]}[most]


def test_a_group_that_is_read_otherwise_than_counted_is_read_singly(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Database.load_files

    def one_less(self: Database, name: str, files: Sequence[RawFile], *sql: Any) -> list[int]:
        counts = load(self, name, files, *sql)
        return [counts[0] - 1, counts[1] + 1, *counts[2:]]

    monkeypatch.setattr(Database, "load_files", one_less)
    for name, data in FILES.items():
        trial.drop(data, name)
    trial.run_well()
    assert found(trial) == (FOUND, TURNED_AWAY)


def test_one_bad_file_of_many_is_refused_alone(trial: Trial, tmp_path: Path) -> None:
    for number in range(5):
        trial.drop(HEADER + f"{number},tea,1,2026-01-01\n", f"{number}.csv")
    trial.drop(HEADER.encode() + b"5,caf\xe9,1,2026-01-01\n", "5.csv")
    trial.drop("sale_id,item\n6,tea\n", "6.csv")
    result = trial.run()
    assert sorted(error.where.split("(")[1][:5] for error in result.failures.values()) == ["5.csv", "6.csv"]
    assert trial.formatted() == [0, 1, 2, 3, 4]
