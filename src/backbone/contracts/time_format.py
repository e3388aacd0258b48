"""A format of dates and times: which texts it reads, each in one way, and which formats can't be meant.

`strptime` alone reads `26` as the year 26 under `%Y`, passes over a wrong day of the week, and counts day 366
of a year of 365 days into the next year. So each format has a strict grammar, a regular expression, that a
text must match before it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

BLANK = r"[\s\v]"
OFFSET = r"[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?"

# An abbreviation has several meanings (BST, IST), or changes its own with the season (PST, CET).
_ZONE_NAME = r"(?:UTC|GMT|[A-Za-z_]+(?:/[A-Za-z0-9_+\-]+)+)"
_SHORT_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_SHORT_DAYS = "mon|tue|wed|thu|fri|sat|sun"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_WORDS = {
    "b": f"(?i:{_SHORT_MONTHS})",
    "h": f"(?i:{_SHORT_MONTHS})",
    "B": f"(?i:{_MONTHS})",
    "a": f"(?i:{_SHORT_DAYS})",
    "A": f"(?i:{_DAYS})",
    "p": "(?i:am|pm)",
    "z": f"(?:Z|{OFFSET})",
    "Z": _ZONE_NAME,
}
# The fewest digits next to a separator, and the most.
_DIGITS = {
    **dict.fromkeys("YG", (4, 4)),
    "y": (2, 2),
    **dict.fromkeys("mdHIMSUWV", (1, 2)),
    "j": (1, 3),
    **dict.fromkeys("uw", (1, 1)),
    "f": (1, 6),
    "g": (1, 3),
}
_FRACTIONS = frozenset("fg")
_COMPOUND = {"c": "%Y-%m-%d %H:%M:%S", "x": "%Y-%m-%d", "X": "%H:%M:%S", "T": "%H:%M:%S"}
_UNPADDED = frozenset("djmyHIMS")
_INSTEAD = {
    "n": "columns have microseconds, use %f",
    "N": "columns have microseconds, use %f",
    "L": "use %g for milliseconds",
    "s": 'set epoch = "seconds"',
    "e": "use %d, which takes one digit or two",
    "k": "use %H",
    "l": "use %I",
    "P": "use %p",
    "D": "use %m/%d/%y",
    "F": "use %Y-%m-%d",
    "R": "use %H:%M",
    "r": "use %I:%M:%S %p",
    "t": "use a tab",
}
_GIVES = {
    "year": "YyG",
    "month": "mbBh",
    "day of the month": "d",
    "day of the year": "j",
    "day of the week": "aAuw",
    "week": "UWV",
    "hour": "HI",
    "half of the day": "p",
    "minutes": "M",
    "seconds": "S",
    "fraction of a second": "fg",
    "offset from UTC": "zZ",
}
# `strptime` counts these from the first day of the year, and beyond its last.
_COUNTED = frozenset("jUWVG")
_OF_THE_DATE = frozenset("YyGmbBhdjaAuwUWV")
# Where a separator stands beside each of these, `strptime` reads what the grammar allows, and shorter years.
_PLAIN = frozenset("YmbBhdHIMSfgp")

DIRECTIVES = " ".join(f"%{letter}" for letter in "YymbBdjHIMSfgpzZaAuwUWGV")


class UnusableFormat(ValueError):
    """A format that can't be meant; the text says what was found, `next_step` what to write."""

    def __init__(self, problem: str, next_step: str) -> None:
        self.problem, self.next_step = problem, next_step
        super().__init__(f"{problem}; {next_step}")


@dataclass(frozen=True)
class _Part:
    """A directive by its letter, or a text between directives."""

    letter: str = ""
    text: str = ""
    unpadded: bool = False


@dataclass(frozen=True)
class TimeFormat:
    """A `strptime` format, taken apart.

    Examples
    --------
    >>> day = read_format("%d/%m/%Y")
    >>> [bool(re.fullmatch(day.pattern(), text)) for text in ("05/01/2026", "5/1/2026", "05/01/26")]
    [True, True, False]
    >>> compact = read_format("%Y%m%d")
    >>> [bool(re.fullmatch(compact.pattern(), text)) for text in ("20260105", "202615")]
    [True, False]
    """

    text: str
    parts: tuple[_Part, ...]

    @property
    def letters(self) -> tuple[str, ...]:
        return tuple(part.letter for part in self.parts if part.letter)

    @property
    def zone(self) -> str:
        """The letter of the directive for an offset or a zone; empty when there is none."""
        return next((letter for letter in self.letters if letter in "zZ"), "")

    @property
    def checked_letters(self) -> tuple[str, ...]:
        """Those whose text must be compared with the date read, as `strptime` does not."""
        by_month = _COUNTED.isdisjoint(self.letters)
        return tuple(letter for letter in self.letters if letter in ("aAuw" if by_month else _OF_THE_DATE))

    @property
    def is_plain(self) -> bool:
        """Whether every text that `strptime` reads as a year of four digits is in the grammar."""
        return (
            "Y" in self.letters
            and _PLAIN.issuperset(self.letters)
            and not any(self._touches(i) for i, part in enumerate(self.parts) if part.letter in _DIGITS)
        )

    def pattern(self, capture: str = "") -> str:
        """The regular expression of its texts, which RE2 and Python read alike.

        Parameters
        ----------
        capture : the letter of a directive whose text is the only group; none by default.
        """
        found = []
        for i, part in enumerate(self.parts):
            one = self._part_pattern(i)
            found.append(f"({one})" if part.letter and part.letter == capture else one)
        return f"{BLANK}*{''.join(found)}{BLANK}*"

    def around(self, letter: str) -> str:
        """The regular expression with two groups: what is before a directive, and what is behind it."""
        place = next(i for i, part in enumerate(self.parts) if part.letter == letter)
        found = [self._part_pattern(i) for i in range(len(self.parts))]
        before, behind = "".join(found[:place]), "".join(found[place + 1 :])
        return f"^({BLANK}*{before}){found[place]}({behind}{BLANK}*)$"

    def spelt(self, *, without: str = "", z_as: str = "Z") -> str:
        """The format as the engine takes it.

        Parameters
        ----------
        without : letters of directives that are left out.
        z_as : what stands for a literal Z.
        """
        return "".join(
            part.text.replace("%", "%%").replace("Z", z_as) if not part.letter else f"%{part.letter}"
            for part in self.parts
            if not part.letter or part.letter not in without
        )

    def _part_pattern(self, i: int) -> str:
        part = self.parts[i]
        if not part.letter:
            return "".join(
                f"{BLANK}+" if piece.isspace() else re.escape(piece)
                for piece in re.split(r"([ \t\n\v\f\r]+)", part.text)
                if piece
            )
        if part.letter in _WORDS:
            return _WORDS[part.letter]
        least, most = _DIGITS[part.letter]
        if self._touches(i):
            least = most
        elif part.unpadded:
            least = 1
        return rf"\d{{{least},{most}}}" if least != most else rf"\d{{{most}}}"

    def _touches(self, i: int) -> bool:
        """Whether nothing separates the digits of a directive from other digits.

        The digits of a fraction may be few where others precede them, as those are all there.
        """
        behind = i + 1 < len(self.parts) and self._digit_at(i + 1, first=True)
        before = i > 0 and self._digit_at(i - 1, first=False)
        return behind or (before and self.parts[i].letter not in _FRACTIONS)

    def _digit_at(self, i: int, *, first: bool) -> bool:
        part = self.parts[i]
        if part.letter:
            return part.letter in _DIGITS or (part.letter in "zZ" and not first)
        return part.text[0 if first else -1].isdigit()


@cache
def read_format(form: str) -> TimeFormat:
    """Take a format apart that gives a full date, with or without a time of day.

    Raises
    ------
    UnusableFormat
        When it has an unknown directive, has no full date, or says one thing twice.

    Examples
    --------
    >>> read_format("%d/%m/%Y %H:%M").letters
    ('d', 'm', 'Y', 'H', 'M')
    >>> read_format("%H:%M")
    Traceback (most recent call last):
    ...
    backbone.contracts.time_format.UnusableFormat: expected a full date, found no year; write the year as %Y
    """
    result = TimeFormat(form, tuple(_parts(form)))
    _refuse_incomplete(result)
    return result


def _parts(form: str) -> list[_Part]:
    expanded = re.sub(r"%(.)", lambda found: _COMPOUND.get(found[1], found[0]), form, flags=re.DOTALL)
    parts: list[_Part] = []
    for text, directive in re.findall(r"([^%]+|%%)|(%-?.?)", expanded, flags=re.DOTALL):
        if text:
            literal = "%" if text == "%%" else text
            if parts and not parts[-1].letter:
                literal = parts.pop().text + literal
            parts.append(_Part(text=literal))
            continue
        letter, unpadded = directive[-1], directive.startswith("%-")
        known = letter in _UNPADDED if unpadded else letter in _WORDS or letter in _DIGITS
        if len(directive) < (3 if unpadded else 2) or not known:
            instead = _INSTEAD.get(letter, f"the directives are {DIRECTIVES}, and %% for a percent sign")
            raise UnusableFormat(f"expected directives of strptime, found {directive}", instead)
        parts.append(_Part(letter=letter, unpadded=unpadded))
    return parts


def _refuse_incomplete(form: TimeFormat) -> None:
    letters = form.letters
    if not letters:
        raise UnusableFormat("expected directives such as %Y, found none", 'write it as in "%d/%m/%Y %H:%M"')
    gives = {}
    for name, group in _GIVES.items():
        gives[name] = [letter for letter in letters if letter in group]
        if len(gives[name]) > 1:
            both = " and ".join(f"%{letter}" for letter in gives[name])
            raise UnusableFormat(f"expected the {name} once, found {both}", "write one of the two")
    if not gives["year"]:
        raise UnusableFormat("expected a full date, found no year", "write the year as %Y")
    if ("G" in letters) != ("V" in letters):
        raise UnusableFormat(
            "expected %G and %V, the year and the week of ISO 8601, together", 'write both, as in "%G-W%V-%u"'
        )
    numbered = "u" if "V" in letters else "w"  # `strptime` passes over the others beside a week
    if gives["week"] and numbered not in letters:
        raise UnusableFormat("expected a full date, found a week without its day", f"add it as %{numbered}")
    by_month = gives["month"] and gives["day of the month"]
    if not (by_month or gives["day of the year"] or gives["week"]):
        lacking = "day" if gives["month"] else "month" if gives["day of the month"] else "month and no day"
        raise UnusableFormat(
            f"expected a full date, found no {lacking}",
            'write the day as %d and the month as %m, %b or %B, as in "%d/%m/%Y"',
        )
    if ("I" in letters) != ("p" in letters):
        raise UnusableFormat(
            "expected %I, an hour up to 12, and %p, AM or PM, together",
            "write both, or %H for an hour up to 23",
        )
    order = ("hour", "minutes", "seconds", "fraction of a second")
    for longer, shorter in pairwise(order):
        if gives[shorter] and not gives[longer]:
            raise UnusableFormat(
                f"expected the {longer} too, found the {shorter} alone", "write the time as %H:%M:%S.%f"
            )
