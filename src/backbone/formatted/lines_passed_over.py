"""The account of lines that the settings say are no records: how many of which kind, in which file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MOST_FILES = 20
"""Files that are named singly; of more, the sums are given."""


def passed_over_notes(files: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A remark for each file, or one for all where there are many.

    Parameters
    ----------
    files : by name, the lines passed over, by kind.

    Examples
    --------
    >>> passed_over_notes({"a.csv": {"comment": 2, "footer": 1}, "b.csv": {"line before the header": 3}})
    ['passed over in a.csv: 2 comments, 1 footer', 'passed over in b.csv: 3 lines before the header']
    """
    if len(files) <= MOST_FILES:
        return [f"passed over in {name}: {_listed(counts)}" for name, counts in sorted(files.items())]
    sums = Counter[str]()
    for counts in files.values():
        sums.update(counts)
    return [f"passed over in {len(files):,} files: {_listed(sums)}"]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(_counted(kind, count) for kind, count in sorted(counts.items()))


def _counted(kind: str, count: int) -> str:
    if count == 1:
        return f"1 {kind}"
    noun, before, rest = kind.partition(" before")
    return f"{count:,} {noun}s{before}{rest}"
