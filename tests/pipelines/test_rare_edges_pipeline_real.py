"""The pipeline `rare_edges` on real connections, fed by `backbone.toml` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Trial

HEAD = '[project]\npipelines = ["backbone.pipelines.rare_edges"]\n[engine]\nthreads = 2\n'


def fed(root: Path, file: Path, columns: str, settings: str = "") -> Trial:
    if not file.is_file():
        pytest.skip(f"the real data is not there: {file}")
    trial = Trial(root, source="connection")
    section = f'[sources.connection]\npath = "{file}"\ncolumns = {{ {columns} }}\n'
    trial.write(root / "backbone.toml", HEAD + section + f"[pipelines.rare_edges]\n{settings}\n")
    trial.run_well()
    return trial


def test_a_timetable_gives_no_alert(tmp_path: Path, shared_data: Path) -> None:
    flights = shared_data / "flights" / "flights_1_6.csv.gz"
    columns = 'started_at = "time_hour", source = "origin", destination = "dest"'
    trial = fed(tmp_path, flights, columns, "state_days = 0")
    assert trial.rows(
        "select count(*), count(distinct (source, destination)) from exploitation.edge_hour"
    ) == [(140_677, 213)]
    busiest = "source = 'JFK' and destination = 'LAX'"
    assert trial.value(f"select sum(connections) from exploitation.edge_hour where {busiest}") == 5_554
    assert trial.value("select count(*) from exploitation.rare_edge") == 0
    assert trial.value("select sum(seen) from exploitation.edge_state") == 140_677


@pytest.mark.long
def test_changes_of_a_program_give_ninety_alerts(tmp_path: Path, shared_data: Path) -> None:
    commits = shared_data / "commit_activity" / "ibis_events.csv"
    trial = fed(
        tmp_path,
        commits,
        'started_at = "event_time", source = "user", destination = "module", connections = "n_files"',
    )
    assert trial.rows(
        "select count(*), count(distinct (source, destination)) from exploitation.edge_hour"
    ) == [(10_305, 601)]
    assert trial.value("select count(*) from exploitation.rare_edge") == 90
