"""Whatever the file: every line is in a record, broken, blank, or passed over and counted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from csv_files import THREE, damaged, many, slow_records, tables
from hypothesis import given
from hypothesis import strategies as st

from backbone.formatted.csv.passed_over import beginnings_of
from backbone.formatted.csv.split import split
from backbone.source_settings import SourceSettings

SETTINGS = SourceSettings(comment="#", footer=("Total",), skip_empty_records=True)
SHAPED = replace(THREE, beginnings=beginnings_of(SETTINGS, ","))
ONES = st.sampled_from(["# x\n", "#,,\n", ",,\n", " , , \n", '# "\n', '# "a"\n'])
LASTS = st.sampled_from(["", "Total\n", "Total,,3\nby hand\n", 'Total\n"by hand\n', "Total\n1,2,3\n"])


def lines(data: bytes) -> Counter[bytes]:
    return Counter(line for line in re.split(rb"[\r\n]+", data) if line)


@st.composite
def shaped(draw: st.DrawFn, files: st.SearchStrategy[bytes]) -> bytes:
    """A file with lines put in that may be passed over, anywhere, and a footer."""
    parts = draw(files).split(b"\n")
    for _ in range(draw(st.integers(0, 4))):
        parts.insert(draw(st.integers(0, len(parts))), draw(ONES).encode().removesuffix(b"\n"))
    data = b"\n".join(parts)
    last = draw(LASTS).encode()
    return data + (b"\n" if last and data and not data.endswith(b"\n") else b"") + last


@many
@given(data=shaped(damaged()))
def test_every_line_is_in_one_place(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    found = split(tmp_path / "a.csv", SHAPED, tmp_path / "b.csv")
    cleaned = (tmp_path / "b.csv").read_bytes()
    broken = sum((lines(one.raw) for one in found.broken), Counter[bytes]())
    left = lines(data)
    left.subtract(lines(cleaned))
    left.subtract(broken)
    assert min(left.values(), default=0) >= 0
    assert sum(left.values()) == sum(found.passed.values())
    if "footer" not in found.passed:
        assert all(line.startswith(b"#") or not line.strip(b", ") for line in +left)
    records = [text for _, text in slow_records(cleaned, 3)]
    assert len(records) == found.records
    assert not any(text.startswith((b"#", b"Total")) or not text.strip(b", ") for text in records)


@many
@given(data=tables(), places=st.lists(st.integers(0, 8), max_size=3))
def test_the_records_of_a_well_formed_file_stay(data: bytes, places: list[int], tmp_path: Path) -> None:
    """Comments are put between records; what is left is what is read without them."""
    data = data if data.endswith(b"\n") or not data else data + b"\n"
    before = slow_records(data, 3)
    starts = [line for line, _ in before]
    physical = data.split(b"\n")
    for place in sorted({place for place in places if place < len(starts)}, reverse=True):
        physical.insert(starts[place] - 1, b"# x, y")
    (tmp_path / "a.csv").write_bytes(b"\n".join(physical))
    shaped_by_comments = replace(THREE, beginnings=beginnings_of(SourceSettings(comment="#"), ","))
    found = split(tmp_path / "a.csv", shaped_by_comments, tmp_path / "b.csv")
    assert found.broken == []
    expected = [text.replace(b"\r\n", b"\n") if b'"' not in text else text for _, text in before]
    assert [text for _, text in slow_records((tmp_path / "b.csv").read_bytes(), 3)] == expected
    assert found.passed["comment"] == len({place for place in places if place < len(starts)})
