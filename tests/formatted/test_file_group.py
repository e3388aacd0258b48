"""Small files of all formats that are read in one statement: each with its own rows and accounts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.formatted import file_group
from backbone.formatted.staging import Staging
from conftest import HEADER, Trial

OF_FILE = "join landing.batch b on b.batch = x._batch order by 1, 2, 3"
ROWS = f"select b.name, x._row, x._line, sale_id, item, price from formatted.sale x {OF_FILE}"
BAD = f"select b.name, x._row, x.line, x.raw, x.reasons from quarantine.sale x {OF_FILE}"


def parquet(*rows: tuple[Any, ...]) -> bytes:
    names = HEADER.strip().split(",")
    columns = zip(*rows, strict=True)
    sink = io.BytesIO()
    pq.write_table(pa.table({n: pa.array(c) for n, c in zip(names, columns, strict=True)}), sink)
    return sink.getvalue()


JSON = '{{"sale_id": {0}, "item": "tea", "price": {1}, "sold_at": "2026-01-01"}}\n'
CLOSED = "{0},tea,{1},2026-01-01,\n"
FORMATS: dict[str, Callable[[int], str | bytes]] = {
    "csv": lambda n: f'{HEADER}{n}0,"a\nb",1,2026-01-01\n{n}1,tea\n{n}2,tea,-{n},2026-01-01\n{n}3,x"y",x,\n',
    "closed.csv": lambda n: (
        HEADER
        + "".join(CLOSED.format(f"{n}{m}", m - 1) for m in range(120))
        + f"{n}99,tea,1,2026-01-01,more\n"
    ),
    "jsonl": lambda n: JSON.format(f"{n}0", 1) + "{\n" + JSON.format(f"{n}1", "-1") + JSON.format(f"{n}2", 2),
    "parquet": lambda n: parquet(
        (10 * n, "tea", "1", "2026-01-01"), (10 * n + 1, "tea", "-1", "2026-01-01"), (None, "é", "2", "x")
    ),
}


@pytest.mark.parametrize("ending", FORMATS)
def test_files_are_read_as_if_alone(trial: Trial, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    found, groups = [], list[int]()
    add_group = Staging._add_group

    def counted(self: Staging, group: file_group.FileGroup) -> None:
        add_group(self, group)
        groups.append(len(group.members))

    monkeypatch.setattr(Staging, "_add_group", counted)
    for most in (1, 500):
        monkeypatch.setattr(file_group, "MOST_FILES", most)
        for n in range(1, 4):
            trial.drop(FORMATS[ending](n), f"{most}-{n}.{ending}")
        trial.run_well()
        rows, bad = trial.rows(ROWS), trial.rows(BAD)
        found.append([[row[1:] for row in part if row[0].startswith(f"{most}-")] for part in (rows, bad)])
    assert groups == [3]
    assert found[0] == found[1]
    assert len(found[0][0]) >= 3
    assert len(found[0][1]) >= 6


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_that_cannot_be_read_leaves_the_others_together(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    groups = list[int]()
    add_group = Staging._add_group

    def failing(self: Staging, group: file_group.FileGroup) -> None:
        if "3" in {member.batch.name[0] for member in group.members}:
            raise ValueError("not this one")
        add_group(self, group)
        groups.append(len(group.members))

    monkeypatch.setattr(Staging, "_add_group", failing)
    for n in range(1, 9):
        trial.drop(FORMATS[ending](n), f"{n}.{ending}")
    trial.run_well()
    assert groups == [2, 1, 4]
    assert {name[0] for name, *_ in trial.rows(ROWS)} == set("12345678")
