"""Formats of dates and times: each text is read in one way or not at all, and wrong formats are refused."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.contracts.contract import Column, Notation, value_sql
from backbone.contracts.time_format import UnusableFormat, read_format
from backbone.errors import SettingsError
from backbone.settings import load_settings

EPOCH = datetime(1970, 1, 1)
DATE = Column("x", "DATE", True, True, False, "", ())
INSTANT = Column("x", "TIMESTAMPTZ", True, True, False, "", ())

DATABASE = duckdb.connect()
DATABASE.execute("set timezone = 'UTC'")


def micros(at: datetime) -> int:
    at = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return (at - EPOCH) // timedelta(microseconds=1)


def instants(form: str, texts: Sequence[str], zone: str = "UTC") -> list[int | None]:
    """Microseconds since 1970 of each text."""
    value = value_sql(INSTANT, "x", Notation(zone, datetime_format=form))
    return [row[0] for row in _rows(f"select epoch_us({value}) from (select unnest($x) as x)", texts)]


def dates(form: str, texts: Sequence[str]) -> list[date | None]:
    value = value_sql(DATE, "x", Notation(date_format=form))
    return [row[0] for row in _rows(f"select {value} from (select unnest($x) as x)", texts)]


def _rows(sql: str, texts: Sequence[str]) -> list[tuple]:  # type: ignore[type-arg]
    kind = duckdb.list_type(duckdb.sqltypes.VARCHAR)
    return DATABASE.execute(sql, {"x": duckdb.Value(list(texts), kind)}).fetchall()


READ = [
    ("%d/%m/%Y", "05/01/2026", "2026-01-05"),
    ("%d/%m/%Y", "5/1/2026", "2026-01-05"),
    ("%d/%m/%Y", "05/1/2026", "2026-01-05"),
    ("%d/%m/%Y", " 5/1/2026 ", "2026-01-05"),
    ("%d/%m/%Y", "05/01/0026", "0026-01-05"),
    ("%d/%m/%Y", "01/01/1900", "1900-01-01"),
    ("%d/%m/%Y", "01/01/1970", "1970-01-01"),
    ("%-d.%-m.%Y", "5.1.2026", "2026-01-05"),
    ("%d/%m/%y", "05/01/26", "2026-01-05"),
    ("%d/%m/%y", "05/01/69", "1969-01-05"),
    ("%d/%m/%-y", "05/01/6", "2006-01-05"),
    ("%Y%m%d", "20260105", "2026-01-05"),
    ("%d%m%Y", "05012026", "2026-01-05"),
    ("%d%b%Y", "5JAN2026", "2026-01-05"),
    ("%d-%b-%Y", "5-jan-2026", "2026-01-05"),
    ("%B %d, %Y", "January 5, 2026", "2026-01-05"),
    ("%B %d, %Y", "jANUARY 5, 2026", "2026-01-05"),
    ("%b %d %Y", "Jan  5 2026", "2026-01-05"),
    ("%a %d.%m.%Y", "Mon 05.01.2026", "2026-01-05"),
    ("%A, %d.%m.%Y", "MONDAY, 05.01.2026", "2026-01-05"),
    ("%Y-%j", "2024-366", "2024-12-31"),
    ("%Y-%j", "2024-6", "2024-01-06"),
    ("%Y%j", "2024006", "2024-01-06"),
    ("%G-W%V-%u", "2020-W53-5", "2021-01-01"),
    ("%Y %W %w", "2024 01 1", "2024-01-01"),
    ("%Y20%m20%d", "202620012005", "2026-01-05"),
    ("100%% %d.%m.%Y", "100% 5.1.2026", "2026-01-05"),
    ("%d/%m/%Y %H:%M", "5/1/2026 8:05", "2026-01-05 08:05:00"),
    ("%d/%m/%Y %H:%M", "5/1/2026  08:5", "2026-01-05 08:05:00"),
    ("%d/%m/%Y %Hh", "5/1/2026 8h", "2026-01-05 08:00:00"),
    ("%Y%m%d%H%M%S", "20260105080910", "2026-01-05 08:09:10"),
    ("%Y%m%d%H%M%S%f", "20260105080910123", "2026-01-05 08:09:10.123"),
    ("%Y%m%d%H%M%S%g", "202601050809105", "2026-01-05 08:09:10.5"),
    ("%Y-%m-%d %H:%M:%S.%f", "2026-01-05 8:9:1.5", "2026-01-05 08:09:01.5"),
    ("%m/%d/%Y %I:%M %p", "1/5/2026 12:00 am", "2026-01-05 00:00:00"),
    ("%m/%d/%Y %I:%M%p", "1/5/2026 1:00PM", "2026-01-05 13:00:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2026-01-05T08:00:00Z", "2026-01-05 08:00:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2026-01-05T08:00:00+01:00", "2026-01-05 07:00:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2026-01-05T08:00:00-0130", "2026-01-05 09:30:00"),
    ("%Y-%m-%dT%H:%M:%S%z", "2026-01-05T8:0:0+01", "2026-01-05 07:00:00"),
    ("%z %d.%m.%Y", "Z 5.1.2026", "2026-01-05 00:00:00"),
    ("Z%z %d.%m.%Y", "ZZ 5.1.2026", "2026-01-05 00:00:00"),
    ("Z%z %d.%m.%Y", "Z+01 5.1.2026", "2026-01-04 23:00:00"),
    ("%a, %d %b %Y %H:%M:%S %z", "Mon, 05 Jan 2026 00:30:00 +0100", "2026-01-04 23:30:00"),
    ("%Y-%m-%d %H:%M %Z", "2026-07-05 10:00 Europe/London", "2026-07-05 09:00:00"),
    ("%Y-%m-%d %H:%M %Z", "2026-07-05 10:00 UTC", "2026-07-05 10:00:00"),
    ("%x %X", "2026-01-05 08:09:10", "2026-01-05 08:09:10"),
    ("%c", "2026-1-5 8:9:1", "2026-01-05 08:09:01"),
]
REFUSED = [
    ("%d/%m/%Y", ["05/01/26", "5/1/026", "005/1/2026", "5/01/20260", "05/01/2026x", "x5/1/2026", "31/02/2026",
                  "5-1-2026", "5/ 1/2026", "05/Jan/2026", "+5/1/2026", "٥/1/2026"]),
    ("%d/%m/%Y %H:%M", ["05/01/26 08:00", "05/01/26   08:00", "5/1/20268:00", "5/1/2026", "5/1/2026 24:00"]),
    ("%d/%m/%y", ["05/01/2026", "05/01/6", "5/1/026"]),
    ("%d%m%Y", ["512026", "5012026", "0512026", " 5012026", "5 12026 "]),
    ("%Y%m%d", ["2026115", "202615", " 2026115", "2026011", "260101"]),
    ("%Y%m-%d", ["20261-5"]),
    ("%Y-%j", ["2026-366", "2024-367", "2024-0", "26-001"]),
    ("%Y%j", ["20246", "202406"]),
    ("%Y20%m20%d", ["20262012005", "20262001205"]),
    ("%Y-%m-%d %H:%M:%S.%f", ["2026-01-05 08:00:00.1234567", "2026-01-05 08:00:00.",
                              "2026-01-05 08:00:60.0"]),
    ("%Y-%m-%d %H%M", ["2026-01-05 800", "2026-01-05 08:00"]),
    ("%Y-%m-%d %I %p", ["2026-01-05 13 PM", "2026-01-05 0 AM", "2026-01-05 1", "2026-01-05 1 P"]),
    ("%a %d.%m.%Y", ["Tue 05.01.2026", "Monday 05.01.2026", "05.01.2026"]),
    ("%a, %d %b %Y %H:%M:%S %z", ["Sun, 05 Jan 2026 00:30:00 +0100"]),
    ("%b %d %Y", ["January 5 2026", "Sept 5 2026"]),
    ("%B %d %Y", ["Jan 5 2026", "Sept 5 2026", "Januar 5 2026"]),
    ("%A %d.%m.%Y", ["Mon 05.01.2026"]),
    ("%G-W%V-%u", ["2027-W53-1", "2026-W00-1", "2026-W01-8"]),
    ("%Y %U %w", ["2024 53 1", "2024 00 0"]),
    ("%Y-%m-%dT%H:%M:%S%z", ["2026-01-05T08:00:00", "2026-01-05T08:00:00z", "2026-01-05T08:00:00+1",
                             "2026-01-05T08:00:00+24", "2026-01-05T08:00:00+01:30:15",
                             "2026-01-05T08:00:00+0160", "26-01-05T08:00:00Z"]),
    ("%Y-%m-%d %H:%M %Z", ["2026-07-05 10:00 BST", "2026-07-05 10:00 PST", "2026-07-05 10:00 Mars/Canal"]),
    ("%d/%m/%Y", ["epoch", "infinity", "-infinity", " Epoch ", ""]),
    ("%y%m%d", ["epoch", "infinity", ""]),
]  # fmt: skip


@pytest.mark.parametrize(("form", "text", "expected"), READ)
def test_a_text_in_the_format_is_read(form: str, text: str, expected: str) -> None:
    at = datetime.fromisoformat(expected)
    assert instants(form, [text]) == [micros(at)]
    assert dates(form, [text]) == [at.date() if at.time() == datetime.min.time() else None]


@pytest.mark.parametrize(("form", "texts"), REFUSED)
def test_any_other_text_is_not_read(form: str, texts: list[str]) -> None:
    assert instants(form, texts) == [None] * len(texts)
    assert dates(form, texts) == [None] * len(texts)


def test_times_without_an_offset_are_in_the_time_zone() -> None:
    texts = ["5/7/2026 8:00", "5/7/26 8:00"]
    expected = micros(datetime(2026, 7, 5, 7))
    assert instants("%d/%m/%Y %H:%M", texts, "Europe/Lisbon") == [expected, None]
    assert instants("%d/%m/%y %H:%M", texts, "Europe/Lisbon") == [None, expected]
    assert instants("%d/%m/%Y %H:%M %z", ["5/7/2026 8:00 Z"], "Europe/Lisbon") == [
        micros(datetime(2026, 7, 5, 8))
    ]


BOTH = (
    "%d/%m/%Y", "%Y-%m-%d", "%d.%m.%y", "%Y%m%d", "%d%m%y", "%d %B %Y", "%b %d, %Y", "%Y-%j", "%A %d/%m/%Y",
    "%d/%m/%Y %H:%M", "%Y%m%d%H%M%S", "%d/%m/%y %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%m/%d/%Y %I:%M:%S %p",
    "%d %b %Y %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z", "%G-W%V-%u",
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(BOTH),
    st.lists(st.datetimes(datetime(1969, 1, 1), datetime(2068, 12, 31)), min_size=1, max_size=20),
    st.sampled_from(["+00:00", "Z", "+0130", "-11:00"]),
)
def test_texts_are_read_as_python_reads_them(form: str, ats: list[datetime], offset: str) -> None:
    texts = [at.strftime(form.replace("%z", offset)) for at in ats]
    assert instants(form, texts) == [micros(datetime.strptime(text, form)) for text in texts]


SEPARATORS = ("-", "/", " ", ".", ":", "", "", "T", " h", "Z", "20", "5", " of ", "%%", "é")
DAYS = ("dmY", "Ymd", "mdy", "dbY", "BdY", "Yj", "adbY", "AdBY", "GVu", "YUw", "YWw", "Yjdm")
CLOCKS = ("", "H", "HM", "HMS", "HMSf", "IMp", "HMSg", "HMSz", "HMSfz")
ZONES = ("Z", "+01", "+0130", "-01:30", "+23:59", "+1", "+01:30:15", "z", "-24")
WORDS = {
    "b": [name.lower() for name in calendar.month_abbr if name],
    "B": [name.lower() for name in calendar.month_name if name],
    "a": [name.lower() for name in calendar.day_abbr],
    "A": [name.lower() for name in calendar.day_name],
    "p": ["am", "pm"],
}
WIDEST = dict.fromkeys("dmHIMSUWVy", 2) | dict.fromkeys("YG", 4) | dict.fromkeys("uw", 1) | {"j": 3}
NARROWEST = dict.fromkeys("dmHIMSUWVjuw", 1) | dict.fromkeys("YG", 4) | {"y": 2}


@st.composite
def formats(draw: st.DrawFn) -> str:
    letters = draw(st.sampled_from(DAYS)) + draw(st.sampled_from(CLOCKS))
    return draw(st.sampled_from(["", "", "x"])) + "".join(
        f"{draw(st.sampled_from(SEPARATORS)) if i else ''}%{letter}" for i, letter in enumerate(letters)
    )


@st.composite
def texts_of(draw: st.DrawFn, form: str) -> str:
    """A text that is nearly in a format, or in it."""
    years = st.sampled_from([2026, 2024, 1999, 1000, 999, 26, 1970, 1900])
    at = datetime(draw(years), draw(st.integers(1, 12)), draw(st.integers(1, 28)))
    at += timedelta(seconds=draw(st.integers(0, 86399)), microseconds=draw(st.sampled_from([0, 5, 120000])))
    written = []
    for piece in re.findall("%.|[^%]+", form):
        letter = piece[1] if piece[0] == "%" else ""
        if not letter or letter == "%":
            text = "%" if letter else piece
        elif letter == "z":
            text = draw(st.sampled_from(ZONES))
        elif letter == "g":
            text = f"{at.microsecond // 1000:03}"
        else:
            text = f"{at.year:04}" if letter == "Y" else at.strftime(piece)
        if text.isdigit() and draw(st.integers(0, 9)) == 0:
            text = draw(st.sampled_from([text.lstrip("0") or "0", text[1:], f"{text}0", "0", "53", "13"]))
        written.append(text)
    return draw(st.sampled_from(["", "", "", " "])) + "".join(written)


def plain_reading(text: str, form: str) -> int | None:
    """What a text in a format means, by Python's calendar: slow, and obviously right."""
    pieces: list[str] = re.findall("%%|%.|[^%]+", form)

    def has_digit(i: int, end: int) -> bool:
        if not 0 <= i < len(pieces):
            return False
        letter = pieces[i][1] if pieces[i][0] == "%" else ""
        if letter and letter != "%":
            return letter in WIDEST or letter in "fg" or (letter == "z" and end == -1)
        return pieces[i][end].isdigit()

    pattern = ""
    for i, piece in enumerate(pieces):
        letter = piece[1] if piece[0] == "%" else ""
        before, behind = has_digit(i - 1, -1), has_digit(i + 1, 0)
        if letter in WIDEST:
            least = WIDEST[letter] if before or behind else NARROWEST[letter]
            pattern += f"(?P<{letter}>[0-9]{{{least},{WIDEST[letter]}}})"
        elif letter in ("f", "g"):
            most = 6 if letter == "f" else 3
            pattern += f"(?P<{letter}>[0-9]{{{most if behind else 1},{most}}})"
        elif letter in WORDS:
            pattern += f"(?P<{letter}>(?i:{'|'.join(WORDS[letter])}))"
        elif letter == "z":
            pattern += r"(?P<z>Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
        else:
            literal = "%" if letter else piece
            pattern += re.sub(r"\\?\s+", r"\\s+", re.escape(literal))
    found = re.fullmatch(rf"\s*{pattern}\s*", text)
    if found is None:
        return None
    parts = {name: value.lower() for name, value in found.groupdict().items()}
    number = {name: int(value) for name, value in parts.items() if value.isdigit()}
    try:
        day = _plain_day(number, parts)
    except ValueError:
        return None
    clock = number.get("H", 0)
    if "I" in number:
        if not 1 <= number["I"] <= 12:
            return None
        clock = number["I"] % 12 + (12 if parts["p"] == "pm" else 0)
    minutes, seconds = number.get("M", 0), number.get("S", 0)
    if clock > 23 or minutes > 59 or seconds > 59 or day is None:
        return None
    fraction = int(parts.get("f", parts.get("g", "0")).ljust(6, "0"))
    at = datetime(day.year, day.month, day.day, clock, minutes, seconds, fraction)
    digits = re.sub("[^0-9]", "", parts.get("z", "")).ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return micros(at + shift if parts.get("z", "").startswith("-") else at - shift)


def _plain_day(number: dict[str, int], parts: dict[str, str]) -> date | None:
    """The only day of the year of which all parts are true."""
    year = number.get("Y", number.get("G", 0))
    if "y" in number:
        year = number["y"] + (1900 if number["y"] >= 69 else 2000)
    if not 2 <= year <= 9998:
        return None
    around = (date(year, 1, 1) + timedelta(days=n) for n in range(-7, 373))
    names = {"a": "%a", "A": "%A", "b": "%b", "B": "%B"}
    true = [
        day
        for day in around
        if (day.isocalendar().year if "G" in number else day.year) == year
        and all(int(day.strftime(f"%{k}")) == number[k] for k in "mdjUWVuw" if k in number)
        and all(day.strftime(form).lower() == parts[k] for k, form in names.items() if k in parts)
    ]
    return true[0] if len(true) == 1 else None


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_text_is_read_as_the_plain_reading_reads_it(data: st.DataObject) -> None:
    form = data.draw(formats())
    texts = data.draw(st.lists(texts_of(form), min_size=1, max_size=10))
    expected = [plain_reading(text, form) for text in texts]
    assert instants(form, texts) == expected
    a_day = 86_400_000_000
    assert dates(form, texts) == [
        None if at is None or at % a_day else (EPOCH + timedelta(microseconds=at)).date() for at in expected
    ]


@pytest.mark.parametrize(
    ("form", "found", "next_step"),
    [
        ("%s", "found %s", 'set epoch = "seconds"'),
        ("%Q", "found %Q", "the directives are %Y"),
        ("%d/%m/%Y %e", "found %e", "%d"),
        ("%F %T", "found %F", "%Y-%m-%d"),
        ("%Y-%m-%d%", "found %,", None),
        ("%-Y-%m-%d", "found %-Y", None),
        ("%Y-%m-%d %H:%M:%S.%n", "found %n", "%f"),
        ("", "found none", "%d/%m/%Y"),
        ("yyyy-MM-dd", "found none", "%d/%m/%Y"),
        ("%H:%M", "found no year", "%Y"),
        ("%d/%m", "found no year", "%Y"),
        ("%Y", "found no month and no day", "%m"),
        ("%m/%Y %H:%M", "found no day", "%d"),
        ("%d %Y", "found no month", "%B"),
        ("%Y %U", "found a week without its day", "%w"),
        ("%Y %W %a", "found a week without its day", "%w"),
        ("%Y %W %u", "found a week without its day", "%w"),
        ("%G-W%V-%w", "found a week without its day", "%u"),
        ("%Y-W%V-%u", "%G and %V", "%G-W%V-%u"),
        ("%d/%m/%Y (%b)", "found %m and %b", "one of the two"),
        ("%Y-%m-%d %y", "found %Y and %y", "one of the two"),
        ("%d/%m/%Y %I:%M", "%I, an hour up to 12, and %p", "%H"),
        ("%d/%m/%Y %H:%M %p", "%I, an hour up to 12, and %p", "%H"),
        ("%d/%m/%Y %M", "found the minutes alone", "%H:%M:%S"),
        ("%d/%m/%Y %H:%M.%f", "found the fraction of a second alone", "%H:%M:%S"),
    ],
)
def test_a_format_that_cannot_be_meant_is_refused_when_the_project_opens(
    tmp_path: Path, form: str, found: str, next_step: str | None
) -> None:
    with pytest.raises(UnusableFormat) as refused:
        read_format(form)
    assert found.rstrip(",") in refused.value.problem
    assert (next_step or "") in refused.value.next_step
    for setting in ("date_format", "datetime_format"):
        (tmp_path / "backbone.toml").write_text(f"[sources.s]\n{setting} = '{form}'\n", encoding="utf-8")
        with pytest.raises(SettingsError) as error:
            load_settings(tmp_path)
        for part in (f"sources.s.{setting}", refused.value.problem, refused.value.next_step, repr(form)):
            assert part in error.value.problem


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("decimal_separator = '1'", "sources.s.decimal_separator: expected one sign"),
        ("thousands_separator = '.'", "sources.s.thousands_separator: '.' is the decimal_separator too"),
        ("timezone = 'Mars'", "sources.s.timezone: no time zone is called 'Mars'"),
    ],
)
def test_other_notation_that_cannot_be_meant_is_refused_too(tmp_path: Path, line: str, found: str) -> None:
    (tmp_path / "backbone.toml").write_text(f"[sources.s]\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    assert found in error.value.problem
