"""Memory and threads that mean nothing are refused in one way, wherever they are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import Ridge

from backbone import HourlyComponents, PerGroup, RareEdgeDetector
from backbone.errors import SettingsError
from backbone.settings import load_settings

UNUSABLE = [
    ({"memory_limit": "foo"}, "expected a memory_limit such as '4GB' .*, found 'foo'"),
    ({"memory_limit": "0 GB"}, "expected a memory_limit .*, found '0 GB'"),
    ({"memory_limit": "-1GB"}, "expected a memory_limit .*, found '-1GB'"),
    ({"threads": 0}, "expected threads of 1 or more, or None for one per core, found 0"),
    ({"threads": -2}, "expected threads of 1 or more, .*, found -2"),
]


@pytest.mark.parametrize(("settings", "message"), UNUSABLE)
@pytest.mark.parametrize("make", [lambda **s: PerGroup(Ridge(), **s), RareEdgeDetector, HourlyComponents])
def test_an_estimator_is_not_made_of_them(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)


@pytest.mark.parametrize(("settings", "message"), UNUSABLE)
def test_nothing_is_read_with_those_that_are_set_later(settings: dict[str, Any], message: str) -> None:
    models = PerGroup(Ridge()).set_params(**settings)
    with pytest.raises(ValueError, match=message):
        models.fit("no such file.parquet", by="k", features=["x"], target="y")


@pytest.mark.parametrize(("settings", "message"), UNUSABLE)
def test_a_project_does_not_open_with_them(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    ((key, value),) = settings.items()
    (tmp_path / "backbone.toml").write_text(f"[engine]\n{key} = {value!r}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"backbone\.toml: engine: {message}"):
        load_settings(tmp_path)


@pytest.mark.parametrize("amount", ["4GB", "1.5 GiB", "500mb", "64KB"])
def test_amounts_that_an_engine_understands(tmp_path: Path, amount: str) -> None:
    (tmp_path / "backbone.toml").write_text(f'[engine]\nmemory_limit = "{amount}"\nthreads = 3\n')
    engine = load_settings(tmp_path).engine
    assert (engine.memory_limit, engine.threads) == (amount, 3)
    assert PerGroup(Ridge(), memory_limit=amount, threads=3).memory_limit == amount
