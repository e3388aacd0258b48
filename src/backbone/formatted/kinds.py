"""What a file is that is no table of the expected format: recognised by its content, never by its name.

A file whose content is the expected one is read under whatever name. Signatures that could begin a line of
text count only with the rest of what such a file must have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.errors import BatchRefused

if TYPE_CHECKING:
    import zipfile

HEAD = 4096
EXPECTED = {
    "csv": "a table as text, with a header and delimiters",
    "jsonl": "JSON objects: one per line, in an array, or one after another",
    "parquet": "a Parquet file",
}
UNPACK = "unpack it, and deliver the file in it under the same name"
SHEET = "open it, save the sheet as CSV, and deliver that under the same name"
EXPORT = "export the table as CSV or Parquet, and deliver that under the same name"
AGAIN = "have the table itself delivered under the same name"
ONCE = "compress it once only, or not at all, and deliver it under the same name"


@dataclass(frozen=True)
class Kind:
    """What a file is, and what to do about it."""

    name: str
    next_step: str


PARQUET = Kind("a Parquet file", "")
SIGNATURES = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an Excel workbook of the old kind (.xls)", SHEET)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", UNPACK)),
    (b"Rar!\x1a\x07", Kind("a RAR archive", UNPACK)),
    (b"\xfd7zXZ\x00", Kind("a file compressed with xz", UNPACK)),
    (b"\x04\x22\x4d\x18", Kind("a file compressed with LZ4", UNPACK)),
    (b"\x1f\x9d", Kind("a file compressed with compress (.Z)", UNPACK)),
    (b"%PDF-", Kind("a PDF document", AGAIN)),
    (b"{\\rtf", Kind("an RTF document", AGAIN)),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG image", AGAIN)),
    (b"\xff\xd8\xff", Kind("a JPEG image", AGAIN)),
    (b"SQLite format 3\x00", Kind("a SQLite database", f"query it as a source (connection), or {EXPORT}")),
    (b"Obj\x01", Kind("an Avro file", EXPORT)),
    (b"ARROW1\x00\x00", Kind("an Arrow file (IPC, Feather)", EXPORT)),
    (b"\xff\xff\xff\xff", Kind("an Arrow stream (IPC)", EXPORT)),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", EXPORT)),
)
ENDED_ALIKE = (  # by signatures that a header could begin with: those at the end, or binary data, decide
    (b"PAR1", PARQUET),
    (b"PARE", Kind("an encrypted Parquet file", "have it delivered without encryption")),
    (b"FEA1", Kind("a Feather file", EXPORT)),
    (b"ORC", Kind("an ORC file", EXPORT)),
)
TEXTS = (
    (re.compile(rb"<!doctype\s+html|<html[\s>]|<table[\s>]", re.I), "an HTML page"),
    (re.compile(rb"<\?xml\s", re.I), "an XML document"),
)
OPEN_DOCUMENT = Kind("an OpenDocument file, such as a spreadsheet (.ods)", SHEET)
MEMBERS = (
    ("xl/workbook", Kind("an Excel workbook", SHEET)),
    ("word/document", Kind("a Word document", AGAIN)),
    ("content.xml", OPEN_DOCUMENT),
)


def refuse_packed(head: bytes, end: bytes, form: str, where: str, *, unpacked: bool, path: Path) -> None:
    """Refuse binary content that is no table of the format.

    Parameters
    ----------
    head : the first bytes, `HEAD` of them if there are so many.
    end : the last bytes; none where they are not known.
    form : the expected format.
    unpacked : whether the bytes come out of a compressed file.
    path : the file that was landed, in which an archive's members are looked up.

    Raises
    ------
    BatchRefused
        With what it is, what was expected, and what to do.
    """
    kind = _binary(head, end, path, unpacked=unpacked)
    if kind is None or (kind is PARQUET and form == "parquet"):
        return
    if kind is PARQUET:
        kind = Kind(PARQUET.name, _set_format(where, "parquet"))
    name = f"{kind.name}, which is itself compressed" if unpacked else kind.name
    raise _refused(where, form, Kind(name, kind.next_step))


def refuse_other_text(
    plain: Path, form: str, where: str, *, wanted: Collection[Collection[str]], has_header: bool
) -> None:
    """Refuse text that is no table of the format: a page, a document, CSV for JSON or the reverse.

    Parameters
    ----------
    plain : the file, in UTF-8.
    wanted : the columns that a header must have, each by the names that it may have.
    has_header : whether the first line of a CSV file is its header.

    Raises
    ------
    BatchRefused
        With what it is, what was expected, and what to do.
    """
    with plain.open("rb") as file:
        text = file.read(HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    for sign, name in TEXTS:
        if sign.match(text):
            raise _refused(where, form, Kind(name, EXPORT if "XML" in name else SHEET))
    if form == "csv" and has_header and text[:1] in (b"{", b"[") and _is_json(text):
        raise _refused(where, form, Kind("JSON", _set_format(where, "jsonl")))
    if form == "jsonl" and _is_header(text, wanted):
        raise _refused(where, form, Kind("a table with a header and delimiters", _set_format(where, "csv")))
    if form == "parquet" and text and _is_printable(text):
        raise _refused(where, form, Kind("text", _set_format(where, "csv")))


def last_bytes(path: Path) -> bytes:
    """The last four bytes of a file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 4, 0))
        return file.read()


def _binary(head: bytes, end: bytes, path: Path, *, unpacked: bool) -> Kind | None:
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    for signature, kind in ENDED_ALIKE:
        if head.startswith(signature) and (signature in end or b"\x00" in head):
            return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind("a zip archive", UNPACK) if unpacked else _zipped(path)
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return Kind("a file compressed with bzip2", UNPACK)
    if head[257:262] == b"ustar":
        return Kind("a tar archive", UNPACK)
    if head[8:12] == b"DUCK" and b"\x00" in head:
        return Kind("a DuckDB database", EXPORT)
    if unpacked and head.startswith((b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd")):
        zstd = head.startswith(b"\x28")
        return Kind(f"a file compressed with {'Zstandard' if zstd else 'gzip'}", ONCE)
    return None


def _zipped(path: Path) -> Kind:
    """What a zip archive is: Excel and others put their documents into one."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            mimetype = _mimetype(archive)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return Kind("a damaged zip archive", "have the file delivered again")
    if mimetype.startswith(b"application/vnd.oasis.opendocument."):
        return OPEN_DOCUMENT
    for member, kind in MEMBERS:
        if any(name.startswith(member) for name in names) and {"mimetype", "[Content_Types].xml"} & {*names}:
            return kind
    if not names:
        return Kind("an empty zip archive", AGAIN)
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return Kind(f"a zip archive that holds {names[0][:80]!r}{more}", UNPACK)


def _mimetype(archive: zipfile.ZipFile) -> bytes:
    """What an archive says of itself in a member of this name; empty where it says nothing."""
    import zipfile
    import zlib

    try:
        with archive.open("mimetype") as member:
            return member.read(100)
    except (KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error):  # none, encrypted or damaged
        return b""


def _is_json(text: bytes) -> bool:
    """Whether text is JSON: a line that is an object by itself, or an object or array over several lines."""
    line, _, rest = text.partition(b"\n")
    if rest or len(text) < HEAD:
        try:
            return isinstance(json.loads(line), dict | list)
        except ValueError:
            pass
    return re.match(rb'\[\s*\{\s*"|\{\s*"(?:[^"\\]|\\.)*"\s*:|\[\s*$', text) is not None


def _is_header(text: bytes, wanted: Collection[Collection[str]]) -> bool:
    """Whether the first line of a text has the columns, between delimiters."""
    line = text.partition(b"\n")[0].decode("utf-8", "replace").strip()
    if line.startswith(("{", "[")):  # JSON, whatever its texts hold
        return False
    named = [{name.strip().strip('"') for name in line.split(sign)} for sign in (",", ";", "\t", "|")]
    return bool(wanted) and any(all(names.intersection(some) for some in wanted) for names in named)


def _is_printable(text: bytes) -> bool:
    """Whether bytes are text, which may be cut off within a sign."""
    decoded = text.decode("utf-8", "ignore")
    return len(decoded.encode()) >= len(text) - 3 and not re.search(r"[\x00-\x08\x0e-\x1f]", decoded)


def _set_format(where: str, form: str) -> str:
    source = where.partition(",")[0].removeprefix("formatted.")
    return (
        f'if all files of the source are like it, set format = "{form}" in [sources.{source}]; else {AGAIN}'
    )


def _refused(where: str, form: str, kind: Kind) -> BatchRefused:
    return BatchRefused(
        where,
        f"expected {EXPECTED[form]}, found {kind.name}",
        "Nothing of it is formatted, and a version before it stays in force.",
        kind.next_step,
    )
