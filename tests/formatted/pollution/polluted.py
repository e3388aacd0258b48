"""One damaged file: its bytes, and which of its lines are rows of the clean table."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from pollution.tables import Line, Row, Table

FAMILIES = (
    ("every delimiter replaced", "every delimiter of a line replaced"),
    ("delimiter added", "delimiter added"),
    ("delimiter removed", "delimiter removed"),
    ("delimiter replaced", "delimiter replaced"),
    ("quote added", "quote added"),
    ("quotes added", "quotes added around a field"),
    ("opening quote removed", "quote removed"),
    ("closing quote removed", "quote removed"),
    ("one of two quotes removed", "quote removed"),
    ("both quotes removed", "both quotes of a field removed"),
    ("space added", "space beside a quote"),
    ("quote changed", "another quote throughout"),
    ("every field in", "another quote throughout"),
    ("escape changed", "another escape throughout"),
    ("delimiter changed", "another delimiter throughout"),
    ("another writer's file", "another delimiter throughout"),
    ("line ends", "line ends"),
    ("no line end", "line ends"),
    ("blank line", "blank lines"),
    ("line of", "blank lines"),
    ("UTF", "encodings and byte order marks"),
    ("Latin", "encodings and byte order marks"),
    ("preamble", "lines before the header"),
    ("no header", "no header"),
    ("header repeated", "header repeated"),
    ("second header row", "several header rows"),
    ("first line sep=", "first line sep="),
    ("footer", "footers"),
    ("second table", "a second table below"),
    ("the table twice", "a second table below"),
    ("header only", "few or no rows"),
    ("empty file", "few or no rows"),
    ("a line end only", "few or no rows"),
    ("one data row", "few or no rows"),
    ("cut off", "cut off in the last row"),
    ("one column less", "one column less"),
    ("one column more", "one column more"),
    ("clean", "clean"),
)
SCOPES = ("one row", "header and rows", "all rows", "header", "rows")


@dataclass(frozen=True)
class Polluted:
    """A damaged file.

    Parameters
    ----------
    kind : what was done to it; `place` says where.
    lines : the file, each line with the clean row that it stands for.
    mark : bytes before the text.
    settings : what the source's settings say of the file, beyond those of its table.
    """

    kind: str
    place: str
    table: Table
    lines: tuple[Line, ...]
    encoding: str = "utf-8"
    mark: bytes = b""
    settings: str = ""
    row: int | None = None  # the one row that was damaged, if it is one

    @property
    def text(self) -> str:
        return "".join(line.text for line in self.lines)

    @property
    def data(self) -> bytes:
        return self.mark + self.text.encode(self.encoding)

    @property
    def family(self) -> str:
        """The kind without its details: what a table of outcomes has a line for."""
        family = next(name for start, name in FAMILIES if self.kind.startswith(start))
        scope = next((scope for scope in SCOPES if self.kind.endswith(f", {scope}")), "")
        declared = ", declared" if self.settings and self.kind != "clean" else ""
        return family + (f", {scope.replace('all rows', 'rows')}" if scope else "") + declared

    @property
    def lot(self) -> int:
        """A number by which samples are drawn, the same in every run."""
        return crc32(f"{self}".encode())

    @property
    def section(self) -> str:
        """The source's section in `backbone.toml`."""
        return "\n".join(part for part in (self.table.settings, self.settings) if part)

    @property
    def rows(self) -> list[Row]:
        """The clean rows whose lines the file has, damaged or not; a row may come twice."""
        return [self.table.rows[line.row] for line in self.lines if line.row is not None]

    def __str__(self) -> str:
        return f"{self.table.name}: {self.kind} ({self.place})" + (
            f" with {self.settings}" if self.settings else ""
        )
