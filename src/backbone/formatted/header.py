"""The header of a CSV file, and where its records begin."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

from backbone.errors import BatchRefused
from backbone.formatted.grammar import MAX_RECORD


def header_end(
    path: Path, delimiter: str = ",", quote: str | None = '"', skip: int = 0, escape: str | None = '"'
) -> tuple[list[str], int, int]:
    r"""Read the header record of a file.

    Parameters
    ----------
    path : an uncompressed file; a UTF-8 byte order mark is passed over.
    delimiter, quote, escape : as in `Grammar`.
    skip : physical lines before the header; blank lines after those are passed over as well.

    Returns
    -------
    The fields, and `body` and `body_line` for a `Grammar`; `([], 0, 1)` for an empty file.

    Raises
    ------
    BatchRefused
        When the header can't be read: a quote that isn't closed, lone carriage returns.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'# export\nid,"long\nname"\n1,2\n')
    >>> header_end(path, skip=1)
    (['id', 'long\nname'], 24, 4)
    """
    doubled = escape == quote
    with path.open("rb") as file:
        body, line = 0, 1
        if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
            body = len(codecs.BOM_UTF8)
        file.seek(body)
        for _ in range(skip):
            while passed := file.readline(MAX_RECORD):
                body += len(passed)
                if passed.endswith(b"\n"):
                    line += 1
                    break

        def texts() -> Iterator[str]:
            nonlocal body, line
            while len(raw := file.readline(MAX_RECORD)) and body < limit:
                body += len(raw)
                line += raw.endswith(b"\n")
                yield raw.decode("utf-8", "replace")

        limit = body + MAX_RECORD
        reader = csv.reader(
            texts(),
            delimiter=delimiter,
            quotechar=quote,
            quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
            doublequote=doubled,
            escapechar=None if doubled or quote is None else escape,
            strict=True,
        )
        try:
            for fields in reader:
                if fields:
                    return fields, body, line
        except csv.Error as error:
            raise BatchRefused(
                str(path),
                f"line {line}: the header can't be read ({error})",
                "Nothing of the file is formatted.",
                "mend the first lines of the file, or its quote and delimiter in the contract",
            ) from error
    return [], body, line
