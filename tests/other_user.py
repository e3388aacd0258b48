"""Commands run by users to whom permissions apply, as they don't to the superuser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ALICE, BOB, GROUP = 61_001, 61_002, 61_000


def as_user(user: int, root: Path, *arguments: str, umask: int = 0o022) -> tuple[int, str, str]:
    """Exit status, output and errors of a command on a project, run by a user of the group."""
    code = "from backbone.commands.main import main; main()"
    return run_as(user, code, "-C", str(root), *arguments, umask=umask)


def run_as(user: int, code: str, *arguments: str, umask: int = 0o022) -> tuple[int, str, str]:
    """Exit status, output and errors of Python code, run by a user of the group who has no home."""
    done = subprocess.run(
        [*_switch(user), sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        umask=umask,
        env=os.environ | {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode, done.stdout, done.stderr


def give(root: Path, user: int) -> None:
    """Make a user of the group the owner of a folder and of all that is in it."""
    for path in (root, *root.rglob("*")):
        os.chown(path, user, GROUP, follow_symlinks=False)


@pytest.fixture(scope="session")
def other_users() -> None:
    """Skip where no command can be run by another user."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only the superuser may run a command as another user, with setpriv")
    code = "import backbone.runner, duckdb, deltalake, pyarrow.parquet"
    started = subprocess.run([*_switch(ALICE), sys.executable, "-c", code], capture_output=True, check=False)
    if started.returncode:
        pytest.skip(f"another user can't run this Python: {started.stderr.decode()[-300:]}")


@pytest.fixture
def open_folder(other_users: None) -> Iterator[Path]:
    """A new folder that everybody may enter; that of pytest is its user's alone."""
    folder = Path(tempfile.mkdtemp(prefix="backbone-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _switch(user: int) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={GROUP}", "--clear-groups"]
