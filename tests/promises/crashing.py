"""Kill a command at its n-th step that changes files, for one n after the other, and complete the work.

Run as a script: `python crashing.py PROJECT FOLDER EVERY OFFSET COMMAND [SOURCE]…` copies PROJECT into FOLDER
for each n and prints one JSON line with what came of it. Nothing is imported again for each n: processes are
forked. The command is one of `DYING`; a run completes the work of each, after a further repair where a repair
has died.

A run that dies accepts the losses of each SOURCE. Where it had not published the source, the next run refuses
to, with all rows still there, and one that accepts the losses too completes the work.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLED = 137
DYING = ("run", "land", "repair")


class Steps:
    """Counts the calls that change files, and ends the process at one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.count = 0
        self.fatal = fatal
        self.names: list[str] = []

    def reach(self, name: str) -> None:
        self.count += 1
        self.names.append(name)
        if self.count == self.fatal:
            os._exit(KILLED)

    def watch(self, owner: Any, name: str, after: bool = False) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self.reach(f"before {name}")
            result = original(*arguments, **options)
            if after:
                self.reach(f"after {name}")
            return result

        setattr(owner, name, watched)


def watch_all(steps: Steps) -> None:
    import deltalake
    import deltalake.transaction

    from backbone.engines.duckdb.database import Database

    for name in ("rename", "replace", "unlink", "rmdir"):
        steps.watch(Path, name)
    for name in ("move", "copy2"):
        steps.watch(shutil, name)
    steps.watch(Database, "write")
    steps.watch(deltalake.transaction, "create_table_with_add_actions", after=True)
    steps.watch(deltalake.DeltaTable, "create_write_transaction", after=True)


def in_child(work: Callable[[], Any]) -> tuple[int, Any]:
    """Do some work in a forked process; its exit status and what the work returned."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        status = 0
        try:
            answer = work()
        except BaseException:
            answer, status = traceback.format_exc(), 1
        with os.fdopen(write, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended), json.loads(text) if text else None


def main(project: Path, folder: Path, every: int, offset: int, dies: str, accept: list[str]) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import deltalake  # noqa: F401
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sklearn.cluster
    import sklearn.metrics  # noqa: F401

    import backbone.analysis.hourly_components.estimator
    import backbone.analysis.rare_edges.detector
    import backbone.engines.duckdb.engine  # noqa: F401
    from backbone.errors import NotRepublished
    from backbone.lake.finding import What
    from backbone.repair.check import check
    from backbone.repair.perform import repair
    from backbone.runner import open_project, run
    from projects import NOW, accounts, contents, deliveries

    def crash(root: Path, fatal: int | None) -> list[str]:
        opened = open_project(root)
        steps = Steps(fatal)
        watch_all(steps)
        if dies == "repair":
            assert repair(opened).plan.steps
        else:
            land_only: list[str] | None = [] if dies == "land" else None
            assert run(opened, now=NOW, accept_loss=accept, land_only=land_only).ok
        return steps.names

    def state(root: Path) -> dict[str, Any]:
        return {
            "contents": contents(root),
            "deliveries": [list(d) for d in deliveries(root)],
            "accounts": {name: list(counts) for name, counts in accounts(root, accept).items()},
        }

    def complete(root: Path) -> dict[str, Any]:
        if dies == "repair":
            repair(open_project(root))
        result = run(open_project(root), now=NOW)
        if accept and not result.ok:
            assert {*result.failures} == {f"formatted.{source}" for source in accept}, result.failures
            for dataset, error in result.failures.items():
                assert isinstance(error, NotRepublished), error
                assert contents(root)[dataset] == before[dataset], f"{dataset} is not as it was"
            result = run(open_project(root), now=NOW, accept_loss=accept)
        assert result.ok, [*map(str, result.failures.values())]
        found = state(root)
        again = run(open_project(root), now=NOW)
        assert again.ok
        assert not again.receipts, [r.dataset for r in again.receipts]
        findings = check(open_project(root), deep=True).findings
        assert all(finding.what == What.LEFT for finding in findings), [*map(str, findings)]
        left = [str(p) for p in (root / "landing" / "temporal").rglob("*") if p.is_file()]
        assert not left, left
        return found

    status, before = in_child(lambda: contents(project) if accept else {})
    assert status == 0, before
    reference = folder / "undisturbed"
    shutil.copytree(project, reference)
    status, names = in_child(lambda: crash(reference, None))
    assert status == 0, names
    status, expected = in_child(lambda: state(reference) if dies == "run" else complete(reference))
    assert status == 0, expected
    for fatal in range(1 + offset, len(names) + 1, every):
        root = folder / f"{project.name}-{fatal}"
        shutil.copytree(project, root)
        status, answer = in_child(lambda root=root, fatal=fatal: crash(root, fatal))  # type: ignore[misc]
        outcome = {"n": fatal, "of": len(names), "step": names[fatal - 1], "failure": ""}
        if status != KILLED:
            outcome["failure"] = f"expected to be killed, found status {status}: {answer}"
        else:
            status, answer = in_child(lambda root=root: complete(root))  # type: ignore[misc]
            if status:
                outcome["failure"] = answer
            elif answer != expected:
                outcome["failure"] = difference(answer, expected)
        print(json.dumps(outcome), flush=True)
        shutil.rmtree(root)


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """Where two states are not the same."""
    differences = []
    for part, values in expected.items():
        if not isinstance(values, dict):
            if found[part] != values:
                differences.append(f"{part}: expected {values}, found {found[part]}")
            continue
        for name in sorted({*values, *found[part]}):
            if values.get(name) != found[part].get(name):
                differences.append(f"{name}: expected {values.get(name)}, found {found[part].get(name)}")
    return "; ".join(differences)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6:])
