"""Which small files the next commit joins."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backbone.lake.pieces import MANY_PIECES, PIECE_BYTES, pieces
from backbone.lake.table import TableVersion


def table(folder: Path, *sizes: int, day: str = "") -> TableVersion:
    place = folder / f"window_date={day}" if day else folder
    place.mkdir(exist_ok=True)
    files = []
    for number, size in enumerate(sizes):
        file = place / f"{number}.parquet"
        with file.open("wb") as opened:
            opened.truncate(size)
        files.append(str(file))
    return TableVersion("exploitation.trial", 1, tuple(files), (), bool(day))


def test_small_files_are_joined_when_they_are_many(tmp_path: Path) -> None:
    few = table(tmp_path, *[9] * (MANY_PIECES - 1), PIECE_BYTES, PIECE_BYTES)
    assert pieces(few) == []
    many = table(tmp_path, *[9] * MANY_PIECES, PIECE_BYTES)
    assert pieces(many) == list(many.files[:MANY_PIECES])


@pytest.mark.parametrize("newer", ["in the table", "staged"])
def test_those_of_a_day_that_is_over_once_there_are_two(tmp_path: Path, newer: str) -> None:
    old = table(tmp_path, 9, 9, PIECE_BYTES, day="2026-02-01")
    new = table(tmp_path, 9, 9, day="2026-02-02")
    assert pieces(old) == pieces(new) == []
    if newer == "staged":
        assert pieces(old, [Path(file) for file in new.files]) == list(old.files[:2])
    else:
        both = TableVersion("exploitation.trial", 2, (*new.files, *old.files), (), True)
        assert pieces(both) == list(old.files[:2])


def test_a_range_reads_files_of_its_days_only(tmp_path: Path) -> None:
    days = [table(tmp_path, 9, day=f"2026-02-0{day}").files[0] for day in (1, 2, 3)]
    version = TableVersion("exploitation.trial", 1, tuple(days), (), True)
    at = [datetime(2026, 2, day, tzinfo=UTC) for day in (1, 2, 3)]
    assert list(version.between(at[1], at[2]).files) == days[1:2]
    assert list(version.between(at[0], at[2].replace(hour=1)).files) == days
