"""A query reads what is whole, and says what is not."""

from __future__ import annotations

from pathlib import Path

from projects import TinyProject, finished


def test_a_damaged_table_keeps_no_other_from_its_readers(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    for day in (1, 2):
        project.sales(f"{day}.csv", (day, "x", day, f"2026-02-0{day}T10:00:00"))
        assert project.run().ok
    log = project.lake.log("formatted.sale")
    log.path(log.versions[-1]).write_bytes(b"")
    status, out, errors = finished(tmp_path, "query", "select count(*) as n from formatted.sale", "-f", "csv")
    assert (status, out.split()) == (0, ['"n"', "1"])
    assert "formatted.sale: expected the commit of version" in errors
    for version in log.versions:
        log.path(version).write_bytes(b"no commit")
    status, out, errors = finished(tmp_path, "query", "select count(*) as n from exploitation.shop_day")
    assert status == 0
    assert "formatted.sale" in errors
    status, _, errors = finished(tmp_path, "query", "select count(*) as n from formatted.sale")
    assert status != 0
    assert "formatted.sale: expected the commit of version 0" in errors
