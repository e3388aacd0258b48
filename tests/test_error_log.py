"""Unexpected errors: what is reported, and what is in the log."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from backbone import error_log
from backbone.error_log import LOG, as_failure, ends_run, unexpected
from backbone.errors import BackboneError, BatchRefused, EngineFailed, ProjectLocked, Unexpected

STATE = "Nothing of it is formatted."


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_the_report_is_short_and_the_log_has_the_traceback(tmp_path: Path) -> None:
    error = unexpected("formatted.sale, a.csv", raised("year 0\nis out of range"), tmp_path, STATE)
    assert isinstance(error, Unexpected)
    assert str(error) == (
        "formatted.sale, a.csv: an unexpected error: ValueError: year 0 is out of range "
        "(the traceback is at the end of .backbone/errors.log). Nothing of it is formatted.\n"
        "Next: report it with that traceback, which may quote values of your data"
    )
    log = (tmp_path / LOG).read_text()
    assert "formatted.sale, a.csv\nTraceback (most recent call last):" in log
    assert "raise ValueError(text)\nValueError: year 0\nis out of range\n" in log


def test_later_errors_are_appended_and_a_large_log_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("one", "two"):
        unexpected("here", raised(text), tmp_path, STATE)
    log = tmp_path / LOG
    assert log.read_text().count("Traceback") == 2
    monkeypatch.setattr(error_log, "LARGEST_LOG", 10)
    unexpected("here", raised("three"), tmp_path, STATE)
    assert log.read_text().count("Traceback") == 1
    assert log.with_suffix(".log.old").read_text().count("Traceback") == 2


def test_a_log_that_cannot_be_written_hides_no_error(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir(parents=True)
    text = str(unexpected("here", raised("odd"), tmp_path, STATE))
    assert "ValueError: odd (the traceback could not be written to .backbone/errors.log: Is a dir" in text


def test_a_name_that_is_no_text_can_be_logged(tmp_path: Path) -> None:
    unexpected("K\udce4ufe.csv", raised("odd"), tmp_path, STATE)
    assert "K\\udce4ufe.csv" in (tmp_path / LOG).read_text()


def test_errors_that_say_what_to_do_are_taken_as_they_are(tmp_path: Path) -> None:
    refused = BatchRefused("a.csv", "it is empty")
    assert as_failure("here", refused, tmp_path, STATE) is refused
    denied = as_failure("here", PermissionError(errno.EACCES, "Permission denied", "a"), tmp_path, STATE)
    assert type(denied) is BackboneError
    assert str(denied).startswith("here: Permission denied (a). Nothing of it is formatted.\nNext: ")
    assert not (tmp_path / LOG).exists()
    assert isinstance(as_failure("here", raised("odd"), tmp_path, STATE), Unexpected)


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        EngineFailed("engine", "out of memory"),
        ProjectLocked("p", "process 1 is writing"),
    ],
    ids=lambda e: f"{type(e).__name__} {getattr(e, 'errno', '')}",
)
def test_what_is_no_fault_of_a_file_ends_the_run(error: BaseException) -> None:
    assert ends_run(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        OSError(errno.ENAMETOOLONG, "File name too long"),
        KeyError("x"),
        BatchRefused("a.csv", "it is empty"),
        RecursionError(),
    ],
    ids=lambda e: f"{type(e).__name__} {getattr(e, 'errno', '')}",
)
def test_what_is_a_fault_of_a_file_does_not(error: BaseException) -> None:
    assert not ends_run(error)
