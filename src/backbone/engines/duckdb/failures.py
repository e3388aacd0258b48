"""What DuckDB raises, as what it means to the caller: an interrupt, memory or storage that gave up."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from backbone.engines.duckdb.damaged_files import as_damage
from backbone.errors import ENGINE, EngineFailed, OutOfMemory
from backbone.interrupts import check_interrupt

STATE = "Nothing of this step is published; what was published before stays."
MORE_ROOM = "free disk space, or raise [engine] memory_limit in backbone.toml, and run again"
MORE_RIGHTS = "give the user of the command the right to it, and run it again"
INNER = re.compile(r'"exception_message":("(?:[^"\\]|\\.)*")')


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise what DuckDB makes of an interrupt as `KeyboardInterrupt`.

    It is a `RuntimeError` where a signal came, an error of DuckDB where somebody interrupted the connection,
    and a text in another one where Python was interrupted while it made rows for DuckDB.
    """
    check_interrupt()
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (duckdb.Error, RuntimeError) as error:
        text = str(error)
        in_python = "Python exception: " in text and text.rstrip().endswith("\nKeyboardInterrupt")
        if in_python or text == "Query interrupted":
            raise KeyboardInterrupt from None
        raise


@contextmanager
def engine_failures(sql: str) -> Iterator[None]:
    """The same, and what the machine is short of is an `EngineFailed`, a broken data file a `TableDamaged`.

    Parameters
    ----------
    sql : the statement that is run.
    """
    try:
        with interruptible():
            yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if damage := as_damage(error, sql):
            raise damage from error
        memory = isinstance(error, duckdb.OutOfMemoryException)
        text = str(error).splitlines()[0] if memory else _answer(str(error))
        step = MORE_RIGHTS if os.strerror(errno.EACCES) in text else MORE_ROOM
        raise (OutOfMemory if memory else EngineFailed)(
            ENGINE, " ".join(text.split())[:400], STATE, step
        ) from error
    except duckdb.Error as error:
        damage = as_damage(error, sql)
        if damage is None:
            raise
        raise damage from error


def _answer(text: str) -> str:
    """What an error of DuckDB says, without the place in a statement of ours and without JSON around it."""
    text = text.partition("\nLINE ")[0]
    inner = INNER.search(text)
    return f"IO Error: {json.loads(inner[1])}" if inner else text
