"""A worker process as its parent sees it: started, asked, and, when it dies, heard to the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from backbone.errors import StepFailed
from backbone.interrupts import at_work

TAIL_BYTES = 4_000
ENDING_S = 5.0

# The groups are spread over the cores already.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)


class WorkerProcess:
    """One process of `backbone.analysis.processes.worker`, for requests of one schema.

    It needs nothing of the program that starts it, so a script may do so without a guard of its main part.

    Parameters
    ----------
    schema : of the requests; its metadata carries what the worker is to do.
    where : how an error calls the work.
    """

    def __init__(self, schema: pa.Schema, where: str) -> None:
        self._where = where
        self._process = subprocess.Popen(
            # -P: the working directory is no place to import from, unless the parent does so too
            [sys.executable, "-P", "-m", "backbone.analysis.processes.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": _path(), "PYTHONHASHSEED": "0"},
        )
        assert self._process.stdin and self._process.stdout
        at_work(self)
        self._said = b""
        self._listener = threading.Thread(target=self._listen, daemon=True, name="worker-stderr")
        self._listener.start()
        self._requests = pa.ipc.new_stream(self._process.stdin, schema)
        self._replies: pa.RecordBatchReader | None = None

    def ask(self, request: pa.RecordBatch) -> pa.RecordBatch:
        """Send a request and wait for its reply.

        Raises
        ------
        StepFailed
            When the process ended instead: how, and the last it wrote to standard error.
        """
        assert self._process.stdin and self._process.stdout
        try:
            self._requests.write_batch(request)
            self._process.stdin.flush()
            if self._replies is None:
                self._replies = pa.ipc.open_stream(self._process.stdout)
            return self._replies.read_next_batch()
        except (OSError, StopIteration, pa.ArrowException) as error:
            raise self._died(request.num_rows) from error

    def interrupt(self) -> None:
        """End it at once; who waits for its reply gets an error."""
        self._process.kill()

    def end(self) -> None:
        """Close its input, upon which it ends, and wait for that."""
        assert self._process.stdin and self._process.stdout and self._process.stderr
        with suppress(OSError):  # when it is gone, what was not written yet can't be
            self._process.stdin.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(ENDING_S)
        self._process.stdout.close()
        if not self._listener.is_alive():  # it goes on listening to what the worker itself has left running
            self._process.stderr.close()

    def _listen(self) -> None:
        assert self._process.stderr
        while said := os.read(self._process.stderr.fileno(), TAIL_BYTES):
            self._said = (self._said + said)[-TAIL_BYTES:]

    def _died(self, groups: int) -> StepFailed:
        with suppress(subprocess.TimeoutExpired):  # it says why before it is gone
            self._process.wait(ENDING_S)
        self.end()
        code = self._process.returncode
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was ended by signal {-code} ({signal.strsignal(-code)})"
        if code == -signal.SIGKILL:
            how += ", as the system does when memory runs out"
        tail = self._said.decode(errors="replace").strip()
        problem = f"expected the models of {groups} groups, but the worker process {how}"
        return StepFailed(
            self._where,
            f"{problem}; the last it wrote:\n{tail}" if tail else f"{problem} and wrote nothing",
            "None of these groups has a result.",
            "see which group does that, or give each worker more memory by asking for fewer workers",
        )


def _path() -> str:
    """Where the parent imports from, for the worker: a user's own estimator is to be found there as well."""
    return os.pathsep.join(str(Path(entry).absolute()) if entry else str(Path.cwd()) for entry in sys.path)
