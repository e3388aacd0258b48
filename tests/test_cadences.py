"""Cadences: a change with nothing to compute, and pipelines that read each other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backbone.errors import PipelineError
from projects import TinyProject

SALE = ["sale_id,shop,amount,sold_at", "1,x,1,2026-02-01 05:00:00"]


def test_another_cadence_replaces_the_table_even_where_no_window_has_closed(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    project.drop("sale", "a.csv", SALE)
    now = datetime(2026, 2, 3, tzinfo=UTC)
    assert project.run(now=now).ok
    assert project.rows("select count(*) from exploitation.shop_day") == [(1,)]
    project.write(settings='[pipelines.tiny]\nevery = "month"\n')
    assert project.run(now=now).ok
    assert project.rows("select count(*) from exploitation.shop_day") == [(0,)]
    assert project.run(now=now).receipts == []
    assert project.run(now=datetime(2026, 3, 2, tzinfo=UTC)).ok
    assert project.rows("select window_start::date::varchar, amount from exploitation.shop_day") == [
        ("2026-02-01", 1)
    ]


def test_hours_do_not_read_days_by_window(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    (tmp_path / "hourly_tiny.py").write_text(
        "from backbone import Pipeline, SqlModel\n"
        'pipeline = Pipeline("hourly", every="hour", sources=[], '
        'steps=[SqlModel("copy", "copy.sql", grain=["shop"])])\n'
    )
    (tmp_path / "copy.sql").write_text("select d.shop, d.amount from exploitation.shop_day as d")
    (tmp_path / "backbone.toml").write_text(f'[project]\npipelines = ["{project.module}", "hourly_tiny"]\n')
    with pytest.raises(PipelineError, match=r"its windows are hours, and exploitation\.shop_day"):
        project.open()


def test_a_cycle_and_an_unknown_table_name_file_line_and_column(tmp_path: Path) -> None:
    steps = """
pipeline = Pipeline("tiny", sources=SOURCES, steps=[SqlModel("shop_day", "shop_day.sql", grain=["shop"])])
"""
    project = TinyProject(tmp_path, steps)
    project.write(sql={"shop_day.sql": "select s.shop, s.amount\nfrom exploitation.shop_day as s"})
    with pytest.raises(PipelineError, match=r"shop_day\.sql, line 2, column 6: tables read each other"):
        project.open()
    project.write(sql={"shop_day.sql": "select s.shop, s.amount\n  from formatted.nothing as s"})
    with pytest.raises(PipelineError, match=r"shop_day\.sql, line 2, column 8: .*formatted\.nothing"):
        project.open()
