"""What was made of a damaged file: by Backbone, a whole run for thousands of files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backbone.ledger.index import Index
from backbone.operations.query import open_tables
from conftest import Trial
from pollution.polluted import Polluted
from pollution.tables import Row

MADE = ("made_of_path", "made_constant", "made_key", "made_name")
"""Fields that the settings give a value, added to the contract where they do."""


@dataclass(frozen=True)
class Reading:
    """What was made of one file.

    Attributes
    ----------
    rows : the formatted rows in the file's order, the contract's columns only.
    quarantined : the text of each line or record that was turned away, with its reasons.
    refused : why the whole file was refused; None if it was not.
    counted : the rows of the file by the account; None where nobody counts.
    crashed : whether it ended in an unexpected error.
    knows_null : whether the reader knows a null from an empty text.
    """

    rows: tuple[Row, ...] = ()
    quarantined: tuple[tuple[str, tuple[str, ...]], ...] = ()
    refused: str | None = None
    counted: int | None = None
    crashed: bool = False
    knows_null: bool = True


def read_each(files: Iterable[Polluted], folder: Path) -> list[tuple[Polluted, Reading]]:
    """Each file with what was made of it; equal bytes under equal settings are read once."""
    groups: dict[tuple[str, str], dict[bytes, list[Polluted]]] = {}
    for one in files:
        groups.setdefault((one.table.name, one.section), {}).setdefault(one.data, []).append(one)
    found = []
    for number, alike in enumerate(groups.values()):
        place = folder / str(number)
        readings = read_all([same[0] for same in alike.values()], place)
        shutil.rmtree(place)
        found += [
            (one, reading) for same, reading in zip(alike.values(), readings, strict=True) for one in same
        ]
    return found


def read_all(files: Sequence[Polluted], folder: Path) -> list[Reading]:
    """Land and format files that share a table and settings, in one run of a small project.

    Where an error ends the run, its half is run again until the file that caused it stands alone.
    """
    folder.mkdir(parents=True)
    first = files[0]
    assert {(one.table.name, one.section) for one in files} == {(first.table.name, first.section)}
    trial = Trial(folder, source="record", event_time=None, section=first.section)
    made = "".join(f"    {name}: str\n" for name in MADE if name in first.section)
    trial.contract(f"{first.table.contract}{made}")
    for number, one in enumerate(files):
        trial.drop(one.data, f"{number:06}.csv")
    try:
        result = trial.run()
    except Exception as error:  # the fault of one file must not end the run; which one is found out
        if len(files) == 1:
            return [Reading(refused=f"{type(error).__name__}: {error}", crashed=True)]
        half = len(files) // 2
        return [*read_all(files[:half], folder / "a"), *read_all(files[half:], folder / "b")]
    return _readings(trial, files, {key: str(error) for key, error in result.failures.items()})


def _readings(trial: Trial, files: Sequence[Polluted], failures: dict[str, str]) -> list[Reading]:
    number_of = {batch.batch: int(batch.name.partition(".")[0]) for batch in trial.batches()}
    assert sorted(number_of.values()) == list(range(len(files))), "a file was not landed"
    names = ", ".join(f'"{one.name}"' for one in files[0].table.fields)
    rows: dict[str, list[Row]] = {batch: [] for batch in number_of}
    bad: dict[str, list[tuple[str, tuple[str, ...]]]] = {batch: [] for batch in number_of}
    project = trial.open()
    with project.database("question") as database:
        known = Index(project.lake, database, project.scratch("question")).batches("record")
        open_tables(project.lake, database)
        if project.lake.exists("formatted.record"):
            for batch, *values in database.fetch(
                f"select _batch, {names} from formatted.record order by _batch, _row"
            ):
                rows[batch].append(tuple(values))
            for batch, raw, reasons in database.fetch(
                "select _batch, raw, reasons from quarantine.record order by _batch, line"
            ):
                bad[batch].append((raw, tuple(reasons)))
    readings: dict[int, Reading] = {}
    for batch, number in number_of.items():
        if batch not in known:
            refusals = [text for key, text in failures.items() if batch in key or batch in text]
            assert refusals and not rows[batch] and not bad[batch], files[number]
            readings[number] = Reading(refused=refusals[0])
            continue
        count = known[batch].count
        assert (count.formatted, count.quarantined) == (len(rows[batch]), len(bad[batch])), files[number]
        readings[number] = Reading(tuple(rows[batch]), tuple(bad[batch]), None, count.rows)
    return [readings[number] for number in range(len(files))]
