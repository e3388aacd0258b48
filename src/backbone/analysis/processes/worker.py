"""A worker process: `python -m backbone.analysis.processes.worker` fits the groups that it is sent.

It reads one Arrow stream from standard input, whose schema carries the estimator and the settings, and
answers every batch with one batch on standard output. It ends when its input does.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import BinaryIO

import pyarrow as pa

from backbone.analysis.processes.group_fit import GroupFit, Settings

ESTIMATOR, SETTINGS = b"estimator", b"settings"


def main() -> None:
    source, target = _own_streams()
    threading.Thread(target=_end_with_parent, args=(source.fileno(),), daemon=True).start()
    with pa.ipc.open_stream(source) as requests:
        work = work_of(requests.schema)
        with pa.ipc.new_stream(target, work.settings.reply()) as replies:
            for request in requests:
                replies.write_batch(work(request))
                target.flush()


def work_of(requests: pa.Schema) -> GroupFit:
    """What to do with each request, of which the schema carries the estimator and the settings."""
    import skops.io

    data, settings = requests.metadata[ESTIMATOR], requests.metadata[SETTINGS]
    known = skops.io.get_untrusted_types(data=data)  # the parent had this estimator in memory a moment ago
    return GroupFit(skops.io.loads(data, trusted=known), Settings.from_json(settings.decode()))


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes to the parent, out of reach of an estimator that prints or asks."""
    source, target = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # written at once, should the process be killed
    return os.fdopen(source, "rb"), os.fdopen(target, "wb")


def _end_with_parent(source: int) -> None:
    """Wait until the parent's end of the pipe is closed, and end at once, even in the midst of a fit."""
    hung_up = select.poll()
    hung_up.register(source, 0)
    hung_up.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
