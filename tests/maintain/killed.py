"""Kill `maintain` at its n-th step that changes files, for one n after the other, and go on.

Run as a script: `python killed.py PROJECT FOLDER EVERY OFFSET` prints a JSON line for each n.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent


KEPT = ("landing.batch", "formatted.sale", "exploitation.shop_day")


def main(project: Path, folder: Path, every: int, offset: int) -> None:
    sys.path[:0] = [str(TESTS), str(TESTS / "promises")]
    import deltalake
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    from crashing import KILLED, Steps, difference, in_child, watch_all

    import backbone.engines.duckdb.engine  # noqa: F401
    from backbone.lake.expiry import NEWEST
    from backbone.lake.table import Lake
    from backbone.ledger.tables import OF_RECEIPTS
    from backbone.maintain import maintain
    from backbone.runner import open_project, run
    from projects import LEDGER_GONE, NOW, accounts, contents

    def crash(root: Path, fatal: int | None) -> list[str]:
        opened, steps = open_project(root), Steps(fatal)
        watch_all(steps)
        steps.watch(os, "link", after=True)
        maintain(opened)
        return steps.names

    def state(root: Path) -> dict[str, Any]:
        return {
            "contents": contents(root),
            "accounts": {name: list(counts) for name, counts in accounts(root).items()},
        }

    def readable(root: Path) -> None:
        for name in KEPT:
            newest, place = Lake(root).version(name), str(Lake(root).path(name))
            for version in range(newest - NEWEST + 1, newest + 1):
                deltalake.DeltaTable(place, version=version).to_pyarrow_table()

    def go_on(root: Path) -> dict[str, Any]:
        readable(root)
        assert state(root) == expected, difference(state(root), expected)
        maintain(open_project(root))
        readable(root)
        for name in OF_RECEIPTS:
            shutil.rmtree(root / "operations" / name)
        again = run(open_project(root), now=NOW)
        assert (again.receipts, again.warnings, again.failures) == ([], [LEDGER_GONE], {}), again
        files = [str(f) for f in root.rglob("*") if f.is_file() and "_log_beside" in str(f)]
        assert not files, files
        return state(root)

    status, expected = in_child(lambda: state(project))
    assert status == 0, expected
    reference = folder / "undisturbed"
    shutil.copytree(project, reference)
    status, names = in_child(lambda: crash(reference, None))
    assert status == 0, names
    for fatal in range(1 + offset, len(names) + 1, every):
        root = folder / f"killed-{fatal}"
        shutil.copytree(project, root)
        status, answer = in_child(lambda root=root, fatal=fatal: crash(root, fatal))  # type: ignore[misc]
        outcome = {"n": fatal, "of": len(names), "step": names[fatal - 1], "failure": ""}
        if status != KILLED:
            outcome["failure"] = f"expected to be killed, found status {status}: {answer}"
        else:
            status, answer = in_child(lambda root=root: go_on(root))  # type: ignore[misc]
            if status:
                outcome["failure"] = answer
            elif answer != expected:
                outcome["failure"] = difference(answer, expected)
        print(json.dumps(outcome), flush=True)
        shutil.rmtree(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
