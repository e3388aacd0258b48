"""`[sources.NAME]`: what feeds a source of a pipeline, and how its files are written."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from backbone.column_settings import ColumnSettings, NullTexts
from backbone.contracts.epoch import Epoch
from backbone.contracts.notation import Notation
from backbone.contracts.time_format import read_format
from backbone.dataset import Every
from backbone.errors import SettingsError
from backbone.settings_for_files import changed_settings, refuse_unusable_when
from backbone.timezones import is_timezone
from backbone.unpivot_settings import UnpivotSettings

WINDOW_PARAMETER = re.compile(r"\$(window_start|window_end)\b")
USUAL_DELIMITERS = (",", ";", "\t", "|")
"""Those that are tried where the settings name none."""
WITHIN = re.compile(r"[1-9][0-9]{0,5}[hdw]")
SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
OF_WINDOWS = ("start", "end", "refetch", "every")
"""Settings of a query that is extracted window by window."""


class Mistake(ValueError):
    """What is wrong with one setting, found by looking at several."""

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        super().__init__(problem)


class SourceSettings(BaseModel):
    """What feeds a source: nothing (dropped files only), a path or glob, or a query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | tuple[str, ...] | None = None
    modified_within: str | None = None
    connection: str | None = None
    query: str | None = None
    every: Every | None = None
    start: datetime | date | None = None
    end: datetime | date | None = None
    refetch: Annotated[int, Field(ge=0)] = 0

    format: Literal["csv", "jsonl", "parquet"] | None = None
    columns: dict[str, str | tuple[str, ...]] = {}
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(max_length=1)] = '"'
    escape: Annotated[str, Field(max_length=1)] | None = None
    header: bool = True
    skip: Annotated[int, Field(ge=0)] = 0
    skip_until: str | None = None
    comment: str | None = None
    footer: tuple[str, ...] = ()
    skip_empty_records: bool = False
    header_rows: Annotated[int, Field(ge=1, le=10)] = 1
    trim: bool = False
    timezone: str = "UTC"
    date_format: str | None = None
    datetime_format: str | None = None
    epoch: Epoch | None = None
    decimal_separator: Annotated[str, Field(min_length=1, max_length=1)] = "."
    thousands_separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    null: tuple[str, ...] = ()
    null_in_quotes: bool = False
    from_path: str | None = None
    column: dict[str, ColumnSettings] = {}
    unpivot: UnpivotSettings | None = None
    when: tuple[dict[str, Any], ...] = ()
    redelivery: Literal["replace", "append"] = "replace"
    latest: Literal["delivery", "hash"] = "delivery"
    extra_columns: Literal["warn", "refuse", "ignore"] = "warn"
    _of_whens: tuple[SourceSettings, ...] = PrivateAttr(())

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        import codecs

        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError(f"no encoding is called {value!r}") from None
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"{value!r} is no encoding of text") from None
        return value

    @field_validator("delimiter", "quote", "escape")
    @classmethod
    def _a_sign(cls, value: str | None) -> str | None:
        # The engine takes NUL for none; lines end in CR and LF.
        if value and (not value.isascii() or value.isalnum() or value in "\0\r\n"):
            raise ValueError("expected one ASCII character: no letter or digit, no NUL, no line end")
        return value

    @field_validator("path", "connection", "query")
    @classmethod
    def _not_empty(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        several = (value,) if isinstance(value, str) else value or ()
        if value is not None and (not several or any(not text.strip() or "\0" in text for text in several)):
            raise ValueError("expected a text that is not blank and has no NUL; leave it out for none")
        if len({*several}) < len(several):
            raise ValueError(f"expected each path once, found {list(several)!r}")
        return value

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths and globs whose files are read in place."""
        return (self.path,) if isinstance(self.path, str) else self.path or ()

    @field_validator("modified_within")
    @classmethod
    def _a_time(cls, value: str | None) -> str | None:
        if value is not None and not WITHIN.fullmatch(value):
            raise ValueError(f'expected a number of hours, days or weeks, such as "30d", found {value!r}')
        return value

    @property
    def modified_within_s(self) -> float | None:
        """How long ago a file may have been modified that is still looked at, in seconds; None for ever.

        Examples
        --------
        >>> SourceSettings(path="in/*.csv", modified_within="2d").modified_within_s
        172800.0
        """
        if self.modified_within is None:
            return None
        return float(self.modified_within[:-1]) * SECONDS[self.modified_within[-1]]

    @field_validator("skip_until", "comment", "footer")
    @classmethod
    def _begins_lines(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for text in (value,) if isinstance(value, str) else value or ():
            if not text.strip() or any(sign in text for sign in "\0\r\n"):
                raise ValueError(f"expected the beginning of a line, no blanks alone, found {text!r}")
        return value

    @field_validator("columns")
    @classmethod
    def _named(cls, value: dict[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
        for field, names in value.items():
            several = (names,) if isinstance(names, str) else names
            if not several or not all(name.strip() for name in several):
                found = names if isinstance(names, str) else list(names)
                raise ValueError(f"{field}: expected the name of a column, found {found!r}")
            if len({*several}) < len(several):
                raise ValueError(f"{field}: expected each name once, found {list(names)!r}")
        return value

    def names_of(self, field: str) -> tuple[str, ...]:
        """The names that a field's column may have in a file.

        Examples
        --------
        >>> settings = SourceSettings(columns={"m2": ["M2", "m2"]})
        >>> settings.names_of("m2"), settings.names_of("id")
        (('M2', 'm2'), ('id',))

        None where its value comes from elsewhere.

        >>> SourceSettings(column={"unit": {"constant": "kWh"}}).names_of("unit")
        ()
        """
        if self.is_given(field) or self.is_row_key(field) or self.is_unpivoted(field):
            return ()
        names = self.columns.get(field, field)
        return (names,) if isinstance(names, str) else names

    def is_given(self, field: str) -> bool:
        """Whether a field is a part of the file's path, or a constant."""
        if self.from_path is not None and field in re.compile(self.from_path).groupindex:
            return True
        return field in self.column and self.column[field].constant is not None

    def is_row_key(self, field: str) -> bool:
        """Whether a field is a key made of file and record."""
        return field in self.column and self.column[field].row_key

    def is_unpivoted(self, field: str) -> bool:
        """Whether a field takes the names or the values of columns that become rows."""
        return self.unpivot is not None and field in self.unpivot.fields

    @field_validator("unpivot", mode="before")
    @classmethod
    def _or_not(cls, value: object) -> object:
        return None if value is False else value

    @field_validator("from_path")
    @classmethod
    def _with_parts(cls, value: str | None) -> str | None:
        try:
            pattern = None if value is None else re.compile(value)
        except re.error as error:
            raise ValueError(f"expected a regular expression of Python: {error}") from None
        if pattern is not None and not pattern.groupindex:
            raise ValueError("expected parts with the names of fields, as in (?P<device>\\\\w+)")
        return value

    @model_validator(mode="after")
    def _from_one_place(self) -> SourceSettings:
        parts = set(re.compile(self.from_path).groupindex) if self.from_path is not None else set[str]()
        unpivoted = self.unpivot.fields if self.unpivot is not None else ()
        for field in sorted(parts | {*self.column, *unpivoted}):
            own = self.column.get(field, ColumnSettings())
            ways = {
                "a part of from_path": field in parts,
                "a constant": own.constant is not None,
                "a row_key": own.row_key,
                "in columns": field in self.columns,
                "a field of unpivot": field in unpivoted,
            }
            found = [way for way, holds in ways.items() if holds]
            if len(found) > 1:
                raise Mistake(
                    f"column.{field}", f"expected one origin of the field, found {' and '.join(found)}"
                )
        return self

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if not is_timezone(value):
            raise ValueError(f"no time zone is called {value!r}")
        return value

    @field_validator("date_format", "datetime_format")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        if value is not None:
            read_format(value)
        return value

    @model_validator(mode="after")
    def _separate_signs(self) -> SourceSettings:
        try:
            Notation(decimal_separator=self.decimal_separator, thousands_separator=self.thousands_separator)
        except SettingsError as error:
            raise Mistake(error.where, error.problem) from None
        if self.epoch is not None and self.datetime_format is not None:
            raise Mistake("epoch", "times are written in a datetime_format or as an epoch, not both")
        for name in ("quote", "escape"):
            sign = getattr(self, name)
            if sign and sign == self.delimiter:
                raise Mistake("delimiter", f"{sign!r} is also the {name}")
            if sign and self.delimiter is None and sign in USUAL_DELIMITERS:
                raise Mistake(name, f"{sign!r} is a usual delimiter: name the delimiter too")
        return self

    @model_validator(mode="after")
    def _nulls_to_tell(self) -> SourceSettings:
        for field in ("", *self.column):
            setting = f"column.{field}.null" if field else "null"
            if any("\0" in text for text in self.nulls_of(field).texts):
                raise Mistake(setting, "expected texts without a NUL")
            for text in self.nulls_of(field).unquoted:
                for name, sign in (*self._signs(), ("line end", "\n"), ("line end", "\r")):
                    if sign and sign in text and self.format in (None, "csv"):
                        raise Mistake(
                            setting,
                            f"{text!r} holds the {name}, which no unquoted field is known to have: "
                            "set null_in_quotes = true",
                        )
        return self

    def _signs(self) -> tuple[tuple[str, str | None], ...]:
        escape = self.quote if self.escape is None else self.escape
        return ("delimiter", self.delimiter), ("quote", self.quote), ("escape", escape)

    def nulls_of(self, field: str) -> NullTexts:
        """The texts that mean null in a field's column.

        Examples
        --------
        >>> settings = SourceSettings(null=["?"], column={"note": {"null": []}})
        >>> settings.nulls_of("price").texts, settings.nulls_of("note").texts
        (('?',), ())
        """
        own = self.column.get(field, ColumnSettings())
        in_quotes = self.null_in_quotes if own.null_in_quotes is None else own.null_in_quotes
        in_quotes = in_quotes or self.trim  # of a text without its blanks nobody knows how it was written
        return NullTexts(self.null if own.null is None else own.null, in_quotes)

    @model_validator(mode="after")
    def _one_origin(self) -> SourceSettings:
        if (self.connection is None) != (self.query is None):
            lacking = "connection" if self.connection is None else "query"
            raise Mistake(lacking, "connection and query go together, and it is not there")
        if self.path is not None and self.query is not None:
            raise Mistake("path", "a source has a path or a query, not both")
        if self.modified_within is not None and self.path is None:
            raise Mistake("modified_within", "it is for files at a path, and the source has none")
        return self

    @field_validator("when")
    @classmethod
    def _for_some_files(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for number, when in enumerate(value):
            try:
                refuse_unusable_when(when)
            except ValueError as error:
                raise ValueError(f"{number + 1}, {error}") from None
        return value

    @model_validator(mode="after")
    def _usable_for_all_files(self) -> SourceSettings:
        made, shared = list[SourceSettings](), self.model_dump(exclude_unset=True, exclude={"when"})
        for number, when in enumerate(self.when):
            try:
                made.append(SourceSettings.model_validate(changed_settings(shared, when)))
            except ValidationError as errors:
                error: Any = errors.errors()[0]
                mistake = error.get("ctx", {}).get("error")
                place = [*error["loc"], *([mistake.setting] if isinstance(mistake, Mistake) else [])]
                message = error["msg"].removeprefix("Value error, ")
                raise Mistake("when", f"{number + 1}, {'.'.join(map(str, place))}: {message}") from None
        self._of_whens = tuple(made)
        return self

    @property
    def of_all_files(self) -> tuple[SourceSettings, ...]:
        """The settings of files that no section of `when` is for, and those of each section."""
        return (self, *self._of_whens)

    def for_file(self, name: str) -> SourceSettings:
        """The settings of a file: the first section of `when` counts whose pattern its name matches.

        Examples
        --------
        >>> settings = SourceSettings(skip=1, when=[{"path": "2019*", "delimiter": ";"}])
        >>> [(s.skip, s.delimiter) for s in map(settings.for_file, ("2018.csv", "2019/may.csv"))]
        [(1, None), (1, ';')]
        """
        for when, settings in zip(self.when, self._of_whens, strict=True):
            if fnmatchcase(name, when["path"]):
                return settings
        return self

    @model_validator(mode="after")
    def _names_to_map(self) -> SourceSettings:
        if self.columns and not self.header and self.format in (None, "csv"):
            raise Mistake("columns", "without a header the columns are the contract's fields, in their order")
        if self.header_rows > 1 and not self.header:
            raise Mistake("header_rows", "the settings say that there is no header")
        if self.unpivot is not None and not self.header:
            raise Mistake("unpivot", "the settings say that there is no header, so no column has a name")
        return self

    @model_validator(mode="after")
    def _windows(self) -> SourceSettings:
        for name in OF_WINDOWS:
            if WINDOW_PARAMETER.search(self.query or "") or not getattr(self, name):
                continue
            lacking = "no query" if self.query is None else "a query without $window_start and $window_end"
            raise Mistake(name, f"it is for a query with windows, and the source has {lacking}")
        if self.start is not None and self.end is not None and as_instant(self.end) <= as_instant(self.start):
            raise Mistake("end", f"expected it after the start, {self.start}, found {self.end}")
        return self


def as_instant(value: datetime | date) -> datetime:
    """A date as the instant at which it begins in UTC; an instant without an offset is in UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
