"""A landed file as DuckDB can read it: decompressed, and text in UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import IO

from backbone.errors import BatchRefused
from backbone.formatted.kinds import HEAD, last_bytes, refuse_packed

CHUNK = 4 * 1024 * 1024
PACKED = (".gz", ".zst")
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def make_plain(path: Path, form: str, encoding: str, scratch: Path, where: str) -> Path:
    """The file itself where it is plain already, else a plain copy of it below `scratch`.

    Raises
    ------
    BatchRefused
        When the file is an archive, a document or of another format, a damaged compressed file, or its
        bytes are not in the declared encoding.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    packed = head.startswith((GZIP, ZSTD))
    utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    misnamed = not packed and path.suffix.lower() in PACKED  # which the engine would unpack all the same
    if not packed:
        refuse_packed(head, last_bytes(path), form, where, unpacked=False, path=path)
    if not packed and not misnamed and (form == "parquet" or utf8):
        if form != "parquet":
            _refuse_mark(head, where)
        return path
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / "plain"
    try:
        with _opened(path, head) as source, target.open("wb") as out:
            chunk = source.read(CHUNK)
            if packed:
                refuse_packed(chunk[:HEAD], b"", form, where, unpacked=True, path=path)
            if form == "parquet" or utf8:
                if form != "parquet":
                    _refuse_mark(chunk[:4], where)
                while chunk:
                    out.write(chunk)
                    chunk = source.read(CHUNK)
            else:
                _transcode(chunk, source, out, encoding)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(where, error) from error
    except UnicodeError as error:
        raise BatchRefused(
            where,
            f"expected text in {encoding}, found bytes that are not: {error}",
            "Nothing of this file is formatted; it is kept in persistent landing.",
            'declare the encoding it has: encoding = "…" under its section in backbone.toml',
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(where, error) from error
    return target


def refuse_if_not_utf8(path: Path, where: str) -> None:
    """Raise a refusal that names the first byte that is not UTF-8, if there is one."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, offset = 1, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                at = max(error.start - (len(error.object) - len(chunk)), 0)
                raise BatchRefused(
                    where,
                    f"expected text in UTF-8, found the byte 0x{error.object[error.start]:02X} "
                    f"in line {line + chunk.count(10, 0, at):,} (offset {offset + at:,}); "
                    "files from Windows are often windows-1252",
                    "Nothing of this file is formatted; it is kept in persistent landing.",
                    'declare the encoding it has, such as encoding = "windows-1252", under its section in '
                    "backbone.toml",
                ) from None
            line += chunk.count(10)
            offset += len(chunk)


def _opened(path: Path, head: bytes) -> io.BufferedIOBase:
    if head.startswith(GZIP):
        return gzip.open(path, "rb")
    if head.startswith(ZSTD):
        import pyarrow as pa

        return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"), CHUNK)
    return path.open("rb")


def _transcode(chunk: bytes, source: io.BufferedIOBase, out: IO[bytes], encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    while chunk:
        out.write(decoder.decode(chunk).encode("utf-8"))
        chunk = source.read(CHUNK)
    out.write(decoder.decode(b"", final=True).encode("utf-8"))


def _refuse_mark(head: bytes, where: str) -> None:
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            raise BatchRefused(
                where,
                f"expected text in UTF-8, found the byte order mark of {encoding}",
                "Nothing of this file is formatted; it is kept in persistent landing.",
                f'write encoding = "{encoding}" under its section in backbone.toml',
            )


def _damaged(where: str, error: Exception) -> BatchRefused:
    return BatchRefused(
        where,
        f"expected a whole archive, found a damaged or truncated one ({error})",
        "Nothing of this file is formatted; it is kept in persistent landing.",
        "have the file delivered again: its next version takes this one's place",
    )
