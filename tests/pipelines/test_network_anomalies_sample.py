"""The sample activity: the same from the same seed, and what it says is in it is in it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from backbone.pipelines.network_anomalies.sample import FOLDER, ROBOT_HOUR, write_sample


def rows(directory: Path) -> pa.Table:
    files = sorted((directory / FOLDER).iterdir())
    options = csv.ConvertOptions(strings_can_be_null=True)
    return pa.concat_tables([csv.read_csv(file, convert_options=options) for file in files])


def test_it_is_what_it_says(tmp_path: Path) -> None:
    sample = write_sample(tmp_path, scale=2, seed=3)
    table = rows(tmp_path)
    good = table.filter(pc.and_(pc.is_valid(table["user_name"]), pc.is_valid(table["started_at"])))
    assert (len(good), len(table) - len(good)) == (sample.rows, sample.broken)
    grouped = good.group_by("user_name").aggregate([("user_name", "count")]).to_pylist()
    counts = {row["user_name"]: row["user_name_count"] for row in grouped}
    assert len(counts) == sample.users == 108
    planted = sample.planted
    ordinary = counts.keys() - {*sample.robots, planted.user_name}
    assert all(800 <= counts[user] <= 2_400 for user in ordinary)

    at = good["started_at"]
    spike = pc.and_(
        pc.equal(pc.strftime(at, "%Y-%m-%d"), str(planted.day)), pc.equal(pc.hour(at), planted.hour)
    )
    of_planted = good.filter(pc.and_(spike, pc.equal(good["user_name"], planted.user_name)))
    assert 300 <= len(of_planted) < 330
    of_robots = good.filter(pc.starts_with(good["user_name"], "robot"))
    assert set(pc.hour(of_robots["started_at"]).to_pylist()) == {ROBOT_HOUR} != {planted.hour}


def test_the_same_seed_gives_the_same_bytes_and_a_larger_scale_more(tmp_path: Path) -> None:
    for name, scale, seed in (("a", 1, 0), ("b", 1, 0), ("c", 2, 0), ("d", 1, 1)):
        write_sample(tmp_path / name, scale, seed)
    contents = {n: [f.read_bytes() for f in sorted((tmp_path / n / FOLDER).iterdir())] for n in "abd"}
    assert contents["a"] == contents["b"] != contents["d"]
    small, large = ({tuple(row.values()) for row in rows(tmp_path / n).to_pylist()} for n in "ac")
    assert small - large == {row for row in small if None in row} - large
    with pytest.raises(ValueError, match="expected scale >= 1 and seed >= 0, found scale 0 and seed 0"):
        write_sample(tmp_path, 0)
