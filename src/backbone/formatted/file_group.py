"""Small files that one statement reads, and the files that are read one by one.

To plan the SQL of a wide contract takes about a millisecond a field, however few rows a file has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbone.dataset import Batch
from backbone.engines.duckdb.database import Database
from backbone.formatted.group_member import Member
from backbone.formatted.parse import format_of
from backbone.formatted.parse_result import ParseResult
from backbone.formatted.refusal import as_end, ends_formatting, named
from backbone.formatted.source import FormattedSource

MOST_FILES = 500
MOST_BYTES = 64 * 1024 * 1024
LARGE = {"csv": 4 * 1024 * 1024, "jsonl": 4 * 1024 * 1024, "parquet": MOST_BYTES}
"""Bytes of a file, by format; to read one with more by itself costs little in comparison."""


Open = Callable[[Path, Batch, FormattedSource, Path], Member | None]
Stage = Callable[[FormattedSource, Sequence[Any], Database, str], Mapping[str, ParseResult]]


@dataclass(frozen=True)
class FileGroup:
    """Files that are laid out alike.

    Attributes
    ----------
    stage : reads them with an database into a table of a given name, which has a column `_batch`; returns, by
        batch, what was seen of the file.
    """

    members: Sequence[Member]
    stage: Stage

    @property
    def batches(self) -> list[str]:
        return [member.batch.batch for member in self.members]

    def halves(self) -> tuple[FileGroup, FileGroup]:
        """The group in two, of which the first may be empty."""
        middle = len(self.members) // 2
        return FileGroup(self.members[:middle], self.stage), FileGroup(self.members[middle:], self.stage)


def file_groups(
    project: Path, waiting: Sequence[list[Batch]], source: FormattedSource, scratch: Path
) -> Iterator[FileGroup | list[Batch]]:
    """Groups of files to read in one statement, and the files (each with its versions) to read singly.

    A group is given as soon as it is full, so that few files are open at a time. A file with an older
    version is read by itself, and one that can't be opened, which says then what is wrong with it.

    Parameters
    ----------
    scratch : for copies of files that are not plain; each has a folder there with the name of its batch.
    """
    small: dict[str, list[Batch]] = {form: [] for form in LARGE}
    for versions in waiting:
        form = format_of(versions[0].name, source.settings.for_file(versions[0].name))
        if len(versions) == 1 and versions[0].bytes <= LARGE[form]:
            small[form].append(versions[0])
        else:
            yield versions
    for form, batches in small.items():
        if len(batches) == 1:
            yield batches
        if len(batches) < 2:
            continue
        open_member, stage = _of_format(form)
        open_groups: dict[object, list[Member]] = {}
        for batch in batches:
            of_file = source.for_file(batch.name)
            member = _opened(open_member, project, batch, of_file, scratch / batch.batch)
            if member is None or member.size > LARGE[form]:
                yield [batch]
                continue
            alike = id(of_file.settings), member.alike
            group = open_groups.setdefault(alike, [])
            size = sum(other.size for other in group) + member.size
            if len(group) == MOST_FILES or (group and size > MOST_BYTES):
                yield _finished(group, stage)
                group = open_groups[alike] = []
            group.append(member)
        for group in open_groups.values():
            yield _finished(group, stage)


def _of_format(form: str) -> tuple[Open, Stage]:
    """How files of a format are opened and read; what that needs is imported for it alone."""
    if form == "csv":
        from backbone.formatted.csv import group as csv_group

        return csv_group.open_member, csv_group.stage
    if form == "jsonl":
        from backbone.formatted.json import group as json_group

        return json_group.open_member, json_group.stage
    from backbone.formatted.parquet import group as parquet_group

    return parquet_group.open_member, parquet_group.stage


def _finished(group: Sequence[Member], stage: Stage) -> FileGroup | list[Batch]:
    return FileGroup(group, stage) if len(group) > 1 else [group[0].batch]


def _opened(
    open_member: Open, project: Path, batch: Batch, source: FormattedSource, scratch: Path
) -> Member | None:
    try:
        return open_member(project / batch.path, batch, source, scratch)
    except Exception as error:
        if ends_formatting(error):
            raise as_end(named(source.dataset, [batch]), error, of_files=True) from error
        return None
