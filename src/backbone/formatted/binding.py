"""Which column of a file each field of the contract reads: by position, never by a reader's idea of names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backbone.contracts.column import Column
from backbone.errors import BatchRefused
from backbone.quoting import quote_toml
from backbone.source_settings import SourceSettings
from backbone.unpivot_settings import UnpivotSettings

UNTOUCHED = "Nothing of it is formatted; an earlier version, if there is one, stays in force."


UNNAMED = "the unnamed "
MOST_COLUMNS = 20_000  # of a file; the engine needs memory for each, whether it is read or not


@dataclass(frozen=True)
class Binding:
    """Where the fields of a contract stand in a file.

    Attributes
    ----------
    places : by field, the position of its column; None for an optional one that the file lacks, and for a
        field that no column has, such as a part of the path.
    ignored : names of the columns that no field reads; that of an unnamed one begins with `UNNAMED`.
    missing : names of the optional columns that the file lacks.
    cells : the positions of the columns that become rows.
    """

    places: tuple[int | None, ...]
    ignored: tuple[str, ...]
    missing: tuple[str, ...]
    cells: tuple[int, ...] = ()


def empty_file(where: str, next_step: str) -> BatchRefused:
    """The refusal of a file without a byte."""
    return BatchRefused(where, "expected a table, found an empty file", UNTOUCHED, next_step)


def wanted_names(fields: Sequence[Column], settings: SourceSettings) -> list[tuple[str, ...]]:
    """The names that each field's column may have in the file; none for a field that no column has."""
    return [settings.names_of(column.name) for column in fields]


def path_of(name: str) -> tuple[str, ...]:
    """The steps to a value within others that a name with dots may stand for; none without dots.

    Examples
    --------
    >>> path_of("address.city"), path_of("city"), path_of("No.")
    (('address', 'city'), (), ())
    """
    steps = tuple(name.split("."))
    return steps if len(steps) > 1 and all(steps) else ()


def one_of(names: Sequence[str]) -> str:
    """What a column is called that may have one of several names."""
    return " or ".join(names)


def found_names(
    wanted: Sequence[Sequence[str]], names: Collection[str], fields: Sequence[Column], where: str
) -> list[str | None]:
    """The name that each field's column has in a file; None where it has none of those it may have.

    Raises
    ------
    BatchRefused
        When it has two of them.
    """
    there = [[name for name in some if name in names] for some in wanted]
    several = [(column.name, some) for column, some in zip(fields, there, strict=True) if len(some) > 1]
    if several:
        found = "; ".join(f"{' and '.join(map(repr, some))} for the field {field}" for field, some in several)
        raise BatchRefused(
            where,
            f"expected one column of the names that [sources.{source_of(where)}] columns gives a field, "
            f"found {found}",
            UNTOUCHED,
            "have it delivered with one of them, or take the wrong name out of columns",
        )
    return [some[0] if some else None for some in there]


def bind(
    names: Sequence[str],
    fields: Sequence[Column],
    settings: SourceSettings,
    where: str,
    within: Collection[str] = (),
) -> Binding:
    """Find the column of each field among the names of a file's columns.

    Parameters
    ----------
    within : the names of values in structs, and of the columns that these are in: none becomes rows.

    Raises
    ------
    BatchRefused
        When the file lacks a column that is not optional, or all of them; has a wanted one twice; or has a
        column whose name equals a missing one but for case, spaces or a `#` around it, or its Unicode form.

    Examples
    --------
    >>> text = [Column(name, "VARCHAR", True, True, False, "", ()) for name in ("item", "note")]
    >>> bind(["", "item", "Item"], text, SourceSettings(), "formatted.sale, batch 7f3a")
    Binding(places=(1, None), ignored=('the unnamed 1st column', 'Item'), missing=('note',), cells=())
    """
    wanted = wanted_names(fields, settings)
    places = {name: i for i, name in reversed(list(enumerate(names)))}
    there = found_names(wanted, places, fields, where)
    bound = {name for name in there if name is not None}
    cells = set[str]() if settings.unpivot is None else {*settings.unpivot.of(names, {*bound, *within})}
    used = bound | cells
    twice = sorted(name for name, count in Counter(names).items() if count > 1 and name in used)
    absent = [some for some, name in zip(wanted, there, strict=True) if some and name is None]
    required = [some for some, c in zip(wanted, fields, strict=True) if some in absent and not c.optional]
    shown = shown_names(names) or "none"
    hint = "; it looks like UTF-16" if any("\0" in name for name in names) else ""
    next_step = (
        f"map the names in backbone.toml, [sources.{source_of(where)}] columns = "
        '{ field = "name in the file" }, or have the file delivered again'
    )
    refuse_lookalikes(absent if not twice else [], names, fields, settings, where)
    if twice:
        problem = f"expected one column called {', '.join(map(repr, twice))}, found several"
        next_step = "have it delivered with one column of each name"
    elif len(names) > MOST_COLUMNS:
        problem = f"expected at most {MOST_COLUMNS:,} columns, found {len(names):,}"
        next_step = "have it delivered with fewer columns, or with records as lines"
    elif required:
        problem = f"expected the column{'s' if len(required) > 1 else ''} {_either(required)}"
    elif absent and any(len(name.splitlines()) > 1 for name in names if name not in bound):
        problem = f"expected the column {_either(absent[:1])}, found a name that goes over several lines"
    elif not used:
        problem = f"expected at least one of the columns {_either(absent)}"
    else:
        if settings.unpivot is not None:
            refuse_other_cells(cells, names, settings.unpivot, where)
        used |= {name.partition(".")[0] for name in within}  # what is in the column is named instead
        ignored = tuple(name or _unnamed(i + 1) for i, name in enumerate(names) if name not in used)
        found = tuple(None if name is None else places[name] for name in there)
        rows = tuple(i for i, name in enumerate(names) if name in cells)
        return Binding(found, ignored, tuple(map(one_of, absent)), rows)
    raise BatchRefused(where, f"{problem}; the file has {shown}{hint}", UNTOUCHED, next_step)


def refuse_other_cells(
    cells: Collection[str], names: Collection[str], unpivot: UnpivotSettings, where: str
) -> None:
    """Refuse a file without columns to make rows of, without one that is named, or with rows already.

    Parameters
    ----------
    cells : the columns that become rows.
    names : all columns of the file.

    Raises
    ------
    BatchRefused
        When it has none of them or lacks one, or one is called as the field that takes their names or values.
    """
    section = f"[sources.{source_of(where)}.unpivot] columns"
    lacking = [name for name in unpivot.exact if name not in cells]
    clashing = [field for field in unpivot.fields if field in cells and field not in unpivot.exact]
    if lacking:
        some = ", ".join(map(repr, lacking[:40]))
        problem = f"expected the column{'s' if len(lacking) > 1 else ''} {some}, as {section} says"
        step = 'write a pattern such as "m*" for columns that not every file has'
    elif not cells:
        problem = (
            f"expected columns that match {section} = {', '.join(map(repr, unpivot.patterns))}, found none"
        )
        step = "mend the pattern"
    elif clashing:
        problem = (
            f"expected columns to make rows of, found {' and '.join(map(repr, clashing))}, called as a field "
            "that takes their names or values: the file may have rows already"
        )
        step = f"write a narrower pattern in {section}"
    else:
        return
    raise BatchRefused(
        where,
        f"{problem}; the file has {shown_names(list(names)) or 'none'}",
        UNTOUCHED,
        f"{step}, or say how such files are written in [[sources.{source_of(where)}.when]] (unpivot = false "
        "for those that have rows already)",
    )


def refuse_lookalikes(
    absent: Sequence[Sequence[str]],
    names: Collection[str],
    fields: Sequence[Column],
    settings: SourceSettings,
    where: str,
) -> None:
    """Refuse a file in which another name differs from a missing one only in case, spaces, `#` or form.

    Parameters
    ----------
    absent : of each field whose column the file lacks, the names that it may have.
    names : those that it has.
    """
    alike = {fold_name(name): name for name in names}
    wanted = wanted_names(fields, settings)
    known = {name for some in wanted for name in some}
    near = [(name, alike[fold_name(name)]) for some in absent for name in some if fold_name(name) in alike]
    near = [(name, found) for name, found in near if found not in known]
    if not near:
        return
    meant = dict(near)
    mapping = {c.name: _mended(some, meant) for c, some in zip(fields, wanted, strict=True)}
    columns = ", ".join(
        f"{field} = {_toml(some)}" for field, some in mapping.items() if some and some != (field,)
    )
    raise BatchRefused(
        where,
        "; ".join(
            f"expected the column {name!r}, found {found!r}, which differs only in case, spaces or Unicode "
            "form"
            for name, found in near
        ),
        UNTOUCHED,
        f"if {'they are' if len(near) > 1 else 'it is'} meant, write in backbone.toml, "
        f"[sources.{source_of(where)}] columns = {{ {columns} }}, or have the file delivered again",
    )


def _mended(names: tuple[str, ...], meant: Mapping[str, str]) -> tuple[str, ...]:
    """The names of a column, with those that the file has instead."""
    if len(names) == 1:
        return (meant.get(names[0], names[0]),)
    return tuple(dict.fromkeys([*names, *(meant[name] for name in names if name in meant)]))


def _toml(names: tuple[str, ...]) -> str:
    return quote_toml(names[0]) if len(names) == 1 else f"[{', '.join(map(quote_toml, names))}]"


def _either(wanted: Sequence[Sequence[str]]) -> str:
    """Some columns, each by the names that it may have."""
    return ", ".join(" or ".join(map(repr, names)) for names in wanted)


def _unnamed(place: int) -> str:
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{UNNAMED}{place}{ending} column"


def shown_names(names: Sequence[str]) -> str:
    """The first of some names, each cut off where it is long."""
    return ", ".join(repr(name[:60]) for name in names[:40])


def source_of(where: str) -> str:
    """The source that a message's place names, such as `formatted.sale, batch 7f3a`."""
    return where.partition(",")[0].removeprefix("formatted.")


def fold_name(name: str) -> str:
    """What stays of a name without case, Unicode form, signs that can't be seen and the signs around it.

    Examples
    --------
    >>> fold_name("# \uff29D\u200b"), fold_name("Unit \u00a0Price"), fold_name("\u0130d") == fold_name("id")
    ('id', 'unit price', True)
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    text = text.replace("i\u0307", "i")  # of the Turkish capital
    seen = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return " ".join(seen.split()).strip(" \"'#")
