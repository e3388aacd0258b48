from __future__ import annotations

import os
from pathlib import Path

from backbone.analysis.kernels import compiled
from other_user import ALICE, other_users, run_as  # noqa: F401


def test_compiled_code_older_than_a_source_is_forgotten(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name, age in (("old.nbi", 30), ("new.nbi", 10)):
        (cache / name).touch()
        os.utime(cache / name, (1e9 - age, 1e9 - age))
    (tmp_path / "kernel.py").touch()
    os.utime(tmp_path / "kernel.py", (1e9 - 20, 1e9 - 20))
    compiled._forget_stale(tmp_path)
    assert [path.name for path in cache.iterdir()] == ["new.nbi"]


def test_a_module_under_another_name_leaves_nothing_on_disk() -> None:
    assert compiled._may_cache(compiled.compiled)

    def function() -> None: ...

    assert not compiled._may_cache(function)


def test_a_user_who_may_write_no_cache_computes_all_the_same(other_users: None) -> None:  # noqa: F811
    """As of a service that the superuser has installed and that has no home."""
    code = (
        "from backbone.analysis.kernels.exponential import exp\n"
        "assert abs(exp(1.0) - 2.718281828459045) < 1e-12\n"
        "assert exp.stats.cache_path is None, exp.stats\n"
    )
    assert run_as(ALICE, code) == (0, "", "")
