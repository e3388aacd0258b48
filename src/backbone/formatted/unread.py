"""Columns that are not read: those that no field uses, and those of optional fields that a file lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backbone.errors import BatchRefused
from backbone.formatted.binding import UNNAMED, one_of
from backbone.formatted.parse_result import ParseResult

FEW_FILES, FEW_COLUMNS = 3, 20


@dataclass(frozen=True)
class Unread:
    """The columns of one file that no field uses, and the columns of optional fields that it lacks.

    Of a JSON file they are the keys of any of its records; none is missing, as any record may lack a field.

    Attributes
    ----------
    absent : those missing; of a JSON file, the wanted keys that no record has.
    """

    ignored: tuple[str, ...]
    missing: tuple[str, ...]
    absent: tuple[str, ...] = ()

    def notes(self) -> set[str]:
        """A remark for each column."""
        return {f"ignored {_described(name)}" for name in self.ignored} | {
            f"no column {name}, whose field is null" for name in self.missing
        }


def unread_of(parsed: ParseResult) -> Unread:
    """The unread columns of a file."""
    absent = (*parsed.missing_columns, *parsed.absent_keys)
    return Unread(parsed.ignored_columns, parsed.missing_columns, absent)


def refuse_extra_columns(parsed: ParseResult, where: str) -> None:
    """Refuse a file with a column that no field uses, for sources whose settings ask for it."""
    if parsed.ignored_columns:
        raise BatchRefused(
            where,
            f"expected no column but those of the contract, found {_listed(parsed.ignored_columns)}",
            "Nothing of it is formatted, and a version before it stays in force.",
            'add a field for it to the contract, or set extra_columns = "warn" or "ignore" in backbone.toml',
        )


def unmatched_mapping(
    source: str, columns: Mapping[str, Sequence[str]], files: Sequence[Unread]
) -> str | None:
    """A warning where the settings map a field to a column that no file has; None where all are there.

    Parameters
    ----------
    columns : by field, the names that the settings give.
    files : all with a row that are formatted under these settings.

    Examples
    --------
    >>> print(unmatched_mapping("sale", {"note": ["txet"]}, [Unread(("text",), ("txet",), ("txet",))]))
    no file has the column 'txet', which [sources.sale] columns gives the field note; it is null in every row
    """
    lacking = {
        field: names
        for field, names in columns.items()
        if all(one_of(names) in file.absent for file in files)
    }
    if not files or not lacking:
        return None
    names = ", ".join(" or ".join(map(repr, names)) for names in lacking.values())
    fields = ", ".join(lacking)
    several = len(lacking) > 1
    return (
        f"no file has the column{'s' if several else ''} {names}, which [sources.{source}] columns gives the "
        f"field{'s' if several else ''} {fields}; {'they are' if several else 'it is'} null in every row"
    )


def drift(files: Sequence[tuple[str, Unread]], before: Unread | None, ignore_extra: bool) -> str | None:
    """A warning where a file has unread columns that the file before it did not have; None without any.

    Parameters
    ----------
    files : names and unread columns of the files formatted now, in the order of their arrival.
    before : those of the last file before them; None where there was none, so that the first of `files` is
        what others are compared with.
    ignore_extra : leave out the columns that no field uses.

    Examples
    --------
    >>> drift([("b.csv", Unread(("Name",), ("name",)))], Unread((), ()), False)
    "unlike the file before it, b.csv has the column 'Name', which no field uses, and lacks the column \
'name', whose field is null"
    """
    changes = []
    for name, found in files:
        if before is not None:
            ignored = [] if ignore_extra else [n for n in found.ignored if n not in before.ignored]
            missing = [n for n in found.missing if n not in before.missing]
            parts = []
            if ignored:
                parts.append(f"has {_listed(ignored)}, which no field uses")
            if missing:
                parts.append(f"lacks {_listed(missing)}, whose field is null")
            if parts:
                changes.append(f"{name} {', and '.join(parts)}")
        before = found
    if not changes:
        return None
    more = f"; {len(changes) - FEW_FILES:,} more files differ too" if len(changes) > FEW_FILES else ""
    return f"unlike the file before it, {'; '.join(changes[:FEW_FILES])}{more}"


def _listed(names: Sequence[str]) -> str:
    named = [repr(name[:60]) for name in names[:FEW_COLUMNS] if not name.startswith(UNNAMED)]
    shown = [f"the column{'s' if len(named) > 1 else ''} {', '.join(named)}"] if named else []
    shown += [name for name in names[:FEW_COLUMNS] if name.startswith(UNNAMED)]
    more = f" and {len(names) - FEW_COLUMNS:,} more" if len(names) > FEW_COLUMNS else ""
    return f"{', '.join(shown)}{more}"


def _described(name: str) -> str:
    return name if name.startswith(UNNAMED) else f"column {name}"
