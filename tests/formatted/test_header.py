"""Headers, and where the records after them begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone.errors import BatchRefused
from backbone.formatted.header import header_end


def test_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data, skip, expected in (
        (b"", 0, ([], 0, 1)),
        (b"a,b\n1,2\n", 0, (["a", "b"], 4, 2)),
        (b"\xef\xbb\xbfa,b\r\n1,2\n", 0, (["a", "b"], 8, 2)),
        (b'# by "hand\n\n"a\nx",b', 1, (["a\nx", "b"], 19, 4)),
        (b"a,b", 3, ([], 3, 1)),
    ):
        path.write_bytes(data)
        assert header_end(path, skip=skip) == expected
    path.write_bytes(b'"a,b\n1,2\n')
    with pytest.raises(BatchRefused, match="header can't be read"):
        header_end(path)
    path.write_bytes(b"a;'b;c'\n")
    assert header_end(path, ";", "'")[0] == ["a", "b;c"]
    assert header_end(path, ";", None)[0] == ["a", "'b", "c'"]
