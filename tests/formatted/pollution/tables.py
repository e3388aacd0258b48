"""Clean tables: a contract, rows of typed values, and the cells that a correct writer makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Field:
    """A column of a contract: `kind` is int, decimal, date, instant or str."""

    name: str
    kind: str = "str"
    nullable: bool = False
    optional: bool = False

    def line(self) -> str:
        """Its line in the contract's class."""
        types = {
            "int": "int",
            "decimal": "Annotated[Decimal, Field(max_digits=10, decimal_places=2)]",
            "date": "date",
            "instant": "datetime",
            "str": "str",
        }
        text = f"    {self.name}: {types[self.kind]}" + (" | None" if self.nullable else "")
        return text + (" = None" if self.optional else "")


@dataclass(frozen=True)
class Line:
    """A record as it is written: its cells, what stands between them, and its line end.

    `role` is `header`, `row` (a row of the clean table), `foreign` (a line that is none), or `layout` (read
    before the header, such as `sep=;`). `row` is the clean row's number.
    """

    role: str
    cells: tuple[str, ...]
    delimiters: tuple[str, ...]
    end: str = "\n"
    row: int | None = None

    @property
    def record(self) -> str:
        """The text without the line end."""
        text = self.cells[0]
        for delimiter, cell in zip(self.delimiters, self.cells[1:], strict=True):
            text += delimiter + cell
        return text

    @property
    def text(self) -> str:
        return self.record + self.end

    def with_cell(self, place: int, cell: str) -> Line:
        return replace(self, cells=(*self.cells[:place], cell, *self.cells[place + 1 :]))

    def with_delimiter(self, place: int, delimiter: str) -> Line:
        return replace(self, delimiters=(*self.delimiters[:place], delimiter, *self.delimiters[place + 1 :]))


@dataclass(frozen=True)
class Table:
    """A clean table, and how its file is written.

    Parameters
    ----------
    quoting : `minimal` (fields that hold a delimiter, quote or line end), `texts` (all texts), `all`.
    header_cells, row_cells : empty cells after the last column, in the header and in each row.
    settings : lines of the source's section in `backbone.toml`.
    """

    name: str
    fields: tuple[Field, ...]
    rows: tuple[Row, ...]
    quoting: str = "minimal"
    delimiter: str = ","
    header_cells: int = 0
    row_cells: int = 0
    settings: str = ""
    names: tuple[str, ...] = field(default=())  # of the header, where they are not the contract's

    @property
    def contract(self) -> str:
        """The contract as Python source."""
        lines = "\n".join(one.line() for one in self.fields)
        return f"class Record(Contract):\n    'A record of {self.name}.'\n{lines}\n"

    def lines(self) -> list[Line]:
        """The clean file."""
        names = self.names or tuple(one.name for one in self.fields)
        header = [*names, *[""] * self.header_cells]
        lines = [Line("header", tuple(header), (self.delimiter,) * (len(header) - 1))]
        for number, values in enumerate(self.rows):
            cells = [self.cell(one, value) for one, value in zip(self.fields, values, strict=True)]
            cells += [""] * self.row_cells
            lines.append(Line("row", tuple(cells), (self.delimiter,) * (len(cells) - 1), row=number))
        return lines

    def cell(self, column: Field, value: Any) -> str:
        """A value as it is written, quotes included."""
        text = as_text(value)
        if text is None:
            return ""
        needed = (
            text == "" or text[:1] in (" ", '"') or any(sign in text for sign in f'{self.delimiter}"\r\n')
        )
        if needed or self.quoting == "all" or (self.quoting == "texts" and column.kind == "str"):
            return quoted(text)
        return text


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def as_text(value: Any) -> str | None:
    """The usual text of a value; None for a null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def _fields(*texts: str) -> tuple[Field, ...]:
    """`name kind`, with `?` after the kind of a nullable column and `??` after that of an optional one."""
    fields = []
    for text in texts:
        name, _, kind = text.partition(" ")
        fields.append(Field(name, kind.rstrip("?") or "str", "?" in kind, "??" in kind))
    return tuple(fields)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


def _ledger_rows() -> tuple[Row, ...]:
    return (
        (1, "tea", Decimal("2.50"), date(2026, 1, 5), _at("2026-01-05 08:00:00"), None),
        (2, "cake, small", Decimal("3.25"), date(2026, 1, 5), _at("2026-01-05 09:30:00"), None),
        (3, 'the "good" one', Decimal("-1.00"), date(2026, 1, 6), _at("2026-01-06 08:00:00"), "returned"),
        (4, "two\nlines", Decimal("0.99"), date(2026, 1, 7), _at("2026-01-07 18:45:10"), None),
        (5, "milk", Decimal("12.00"), date(2026, 1, 8), _at("2026-01-08 07:15:00"), "paid, late"),
        (6, "salt", Decimal("0.40"), date(2026, 1, 9), _at("2026-01-09 10:00:00"), None),
    )


def _pollock() -> Table:
    """In the shape of the public benchmark's table: 80 rows, texts in quotes, few comments."""
    kinds = ("Shoes", "Hats", "Coats", "Toys & Games")
    rows: list[Row] = []
    for number in range(80):
        what = f"{kinds[number % 4]} no. {number}, size {number % 7}"
        if number % 5 == 0:
            what += f', "model {number}"'
        if number % 11 == 3:
            what = f"Plain text {number}"
        rows.append(
            (
                date(2026, 1 + number % 12, 1 + number % 28),
                f"{number % 24:02}:{number % 60:02}",
                1 + number % 9,
                f"P{1000 + number}",
                Decimal(number * 7 + 199).scaleb(-2),
                kinds[number % 4],
                what,
                f"http://shop.example/p/{1000 + number}",
                "fragile" if number in (17, 60) else None,
            )
        )
    fields = _fields(
        "DATE date", "TIME", "Qty int", "PRODUCTID", "Price decimal", "ProductType", "ProductDescription",
        "URL ?", "Comments ?",
    )  # fmt: skip
    return Table("pollock", fields, tuple(rows))


def tables() -> list[Table]:
    """The clean tables, small ones first."""
    words = ("tea", "cake", "milk", "salt", "café")
    numbered = tuple((n + 1, word, None) for n, word in enumerate(words))
    noted = (*numbered[:2], (3, "milk", "cold"), (4, "salt", ""), (5, "café", None))
    texts: Sequence[str | None] = ("tea", "cake, small", 'the "good" one', "two\nlines", None, "a;b|c")
    strings = tuple((f"k{n}", text, "x" if n % 2 else None, f"e{n}") for n, text in enumerate(texts))
    signs = tuple((f"k{n}", f"{word};{n}", f"a|b\t{n}" if n % 2 else "plain") for n, word in enumerate(words))
    odd = (
        "\nfirst", ", comma", '"quoted" first', "8,milk\n9,salt", "last\n", "a\n\nb", 'inner "",""', "plain",
    )  # fmt: skip
    three = ("rye\n7,a,b\nz", "x", '",', "\n1,2,3\n", "y", ',"')
    halves = tuple(
        (n, f"{word}; fine" if n % 2 else word, Decimal(n * 25).scaleb(-2)) for n, word in enumerate(words)
    )
    numbers = tuple(
        (n, None if n == 2 else n * 2, Decimal(n * 100).scaleb(-2), None if n != 3 else 5) for n in range(5)
    )
    id_name_note = _fields("id int", "name", "note ?")
    optional = _fields("id int", "name", "note str??")
    ledger = _fields("id int", "item", "price decimal", "sold_on date", "sold_at instant", "note ?")
    all_quoted = tuple((key, text or "", end) for key, text, _, end in strings)
    return [
        Table("three columns, last empty", id_name_note, numbered),
        Table("three columns, last nullable", id_name_note, noted),
        Table("three columns, last optional", optional, noted),
        Table("optional first", (optional[2], *optional[:2]), tuple((c, a, b) for a, b, c in noted)),
        Table("only optional", _fields("id int??", "name str??", "note str??"), noted),
        Table("ledger", ledger, _ledger_rows()),
        Table("two columns, texts quoted", _fields("id int", "text"), tuple(enumerate(odd)), "texts"),
        Table(
            "three columns, last quoted",
            _fields("id int", "name", "text"),
            tuple((n, f"n{n}", text) for n, text in enumerate(three)),
            "texts",
        ),
        Table("all text", _fields("key", "text ?", "flag ?", "end"), strings),
        Table("all text, all quoted", _fields("key", "text", "end"), all_quoted, "all"),
        Table("texts with other delimiters", _fields("key", "text", "more"), signs),
        Table("semicolons", _fields("id int", "item", "price decimal"), halves, delimiter=";"),
        Table("one column of text", _fields("name"), (("tea",), ("a, b",), ("two\nlines",), ("x",))),
        Table("one column, nullable", _fields("count int?"), ((1,), (None,), (3,), (40,))),
        Table("trailing delimiter", id_name_note, noted, header_cells=1, row_cells=1),
        Table("trailing delimiter in rows", id_name_note, noted, row_cells=1),
        Table("numbers", _fields("a int", "b int?", "c decimal", "d int?"), numbers),
        _pollock(),
    ]
