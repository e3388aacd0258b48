"""What the ledger is asked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backbone.dataset import BatchCount, HourRanges, instant_of, merge_hours
from backbone.engines.duckdb.database import Database
from backbone.errors import BackboneError
from backbone.lake.table import Lake
from backbone.ledger.delivered import MEASURE, Delivered, delivered_of, measure_of
from backbone.ledger.half_published import half_published, revived_left
from backbone.ledger.index_tables import IndexTables
from backbone.ledger.known import Change, Commit, Known, Warned, WindowState
from backbone.ledger.manifest import DATASET as MANIFEST


class Index(IndexTables):
    """What is known of the tables of one project, by their receipts.

    Its tables and the facts that are not published yet are those of `IndexTables`; here they are read.
    """

    def __init__(self, lake: Lake, database: Database, scratch: Path) -> None:
        self._changes: dict[str, list[Change]] = {}
        self._commits: dict[str, dict[int, Commit]] = {}
        self._parts: dict[tuple[str, int], Mapping[str, tuple[str, ...]]] = {}
        self._batches: dict[str, dict[str, Known]] = {}
        super().__init__(lake, database, scratch)

    def _forget(self, dataset: str | None = None) -> None:
        self._batches.clear()
        if dataset is not None:
            self._commits.pop(dataset, None)
        else:
            self._changes.clear()
            self._commits.clear()

    def digests(self, dataset: str) -> dict[int, str]:
        """By version, the digests of a dataset's commits, as far as the ledger has them."""
        receipts = self.facts("receipt", "dataset", dataset)
        if receipts is None:
            return {}
        sql = f"select version, digest from {receipts} as r where dataset = $dataset and digest <> ''"
        return dict(self._database.fetch(sql, {"dataset": dataset}))

    def touched_after(self, dataset: str, version: int) -> HourRanges | None:
        """The hours that the commits after a version changed, as was stored; None for all."""
        if "change" not in self._was_stored:
            return None
        rows = self._database.fetch(
            "select distinct low, high from operations.change "
            "where dataset = $dataset and version > $version",
            {"dataset": dataset, "version": version},
        )
        return None if any(low is None for low, _ in rows) else merge_hours(rows)

    def delivered(self) -> dict[str, Delivered]:
        """By batch, the hash with which it landed, as far as a receipt of the manifest has it.

        Also by receipts that were stored or folded before the manifest lost its log.
        """
        measures = [text for receipt in self.folded.receipts(MANIFEST) for text in measure_of(receipt)]
        sql = "select measures from operations.receipt where dataset = $dataset order by version"
        stored: list[tuple[Any, ...]] = []
        if "receipt" in self._was_stored:
            with suppress(BackboneError):  # damaged, or of an older version of Backbone
                stored = self._database.fetch(sql, {"dataset": MANIFEST})
        new = [(row["measures"],) for row in self._new["receipt"] if row["dataset"] == MANIFEST]
        facts = [json.loads(text) for (text,) in (*stored, *new) if text is not None]
        return delivered_of([*measures, *(found[MEASURE] for found in facts if MEASURE in found)])

    def batches(self, source: str) -> dict[str, Known]:
        """The batches whose rows are in a source's tables, and how they are accounted for.

        They count as formatted under no contract where a run died after it replaced their quarantined rows
        by those of another contract.
        """
        if source in self._batches:
            return self._batches[source]
        facts = self.facts("batch", "source", source)
        if facts is None:
            return {}
        rows = self._database.fetch(
            "select batch, fingerprint, rows, formatted, quarantined, duplicate, removed "
            f"from {facts} as b where source = $source "
            "qualify row_number() over (partition by batch order by version desc) = 1",
            {"source": source},
        )
        other = self.half_published(source)
        found = {
            row[0]: Known(row[1] if other in (None, row[1]) else "", BatchCount(*row[2:6]))
            for row in rows
            if not row[6]
        }
        return self._batches.setdefault(source, found)

    def versions_of_batches(self, source: str, batches: Iterable[str]) -> set[int]:
        """The versions of a formatted table that changed the accounts of some batches."""
        facts, wanted = self.facts("batch", "source", source), sorted(batches)
        if facts is None or not wanted:
            return set()
        rows = self._database.fetch(
            f"select distinct version from {facts} as b where source = $source "
            "and batch in (select unnest($batches))",
            {"source": source, "batches": wanted},
        )
        return {version for (version,) in rows}

    def half_published(self, source: str) -> str | None:
        """The fingerprint under which a run that died has published a source by half; None where none has."""
        return half_published(self.facts("receipt"), self._database, source)

    def revived_left(self, source: str) -> bool:
        """Whether a run died before it removed from the duplicates what it had formatted again."""
        return revived_left(self.facts("receipt"), self._database, source)

    def warnings(self) -> list[Warned]:
        """By dataset, the warnings of its last commit that has any.

        What is older than the last commit that replaced the whole table no longer holds.
        """
        facts = self.facts("receipt")
        if facts is None:
            return []
        rows = self._database.fetch(
            f"select dataset, version, committed_at, warnings from {facts} as r where len(warnings) > 0 "
            "qualify row_number() over (partition by dataset order by version desc) = 1 order by dataset"
        )
        return [
            Warned(dataset, at.astimezone(UTC), tuple(warnings))
            for dataset, version, at, warnings in rows
            if version >= self._last[dataset][1]
        ]

    def changes(self, dataset: str) -> list[Change]:
        """The hours each version of a dataset changed, oldest first."""
        if dataset not in self._changes:
            rows: list[tuple[Any, ...]] = []
            if "change" in self._stored:
                rows = self._database.fetch(
                    "select distinct version, low, high from operations.change where dataset = $dataset "
                    "order by version, low",
                    {"dataset": dataset},
                )
            self._changes[dataset] = [Change(*row) for row in rows]
        new = [row for row in self._new["change"] if row["dataset"] == dataset]
        return [*self._changes[dataset], *(Change(row["version"], row["low"], row["high"]) for row in new)]

    def version(self, dataset: str) -> int:
        """The last version of a dataset that is indexed; -1 where there is none."""
        return self._last.get(dataset, (-1, 0))[0]

    def commit(self, dataset: str, version: int) -> Commit | None:
        """What made a version of a dataset; None of a version that is not indexed."""
        if dataset not in self._commits:
            facts = self.facts("receipt", "dataset", dataset)
            sql = f"select version, stage, fingerprint from {facts} as r where dataset = $dataset"
            rows = self._database.fetch(sql, {"dataset": dataset}) if facts else []
            self._commits[dataset] = {row[0]: Commit(row[1], row[2]) for row in rows}
        return self._commits[dataset].get(version)

    def parts(self, dataset: str, version: int) -> Mapping[str, tuple[str, ...]]:
        """What the receipt of a version remembers, such as the parts of its fingerprint."""
        if (dataset, version) not in self._parts:
            if self._lake.has(dataset, version):
                receipt = self._lake.log(dataset).commit(version).receipt
            else:
                receipt = self.folded.receipt(dataset, version)
            self._parts[dataset, version] = {} if receipt is None else receipt.remembered
        return self._parts[dataset, version]

    def windows(self, dataset: str) -> dict[datetime | None, WindowState]:
        """The state of each window of a table since it was last replaced as a whole.

        Those are left out that were computed from a version of an input that is gone.
        """
        facts = self.facts("window", "dataset", dataset)
        last, replaced_in = self._last.get(dataset, (-1, 0))
        if facts is None or last < 0:
            return {}
        rows = self._database.fetch(
            "select epoch_us(window_start) // 3600000000, every, fingerprint, version "
            f"from {facts} as w where dataset = $dataset and version >= $replaced_in "
            "qualify row_number() over (partition by window_start order by version desc) = 1",
            {"dataset": dataset, "replaced_in": replaced_in},
        )
        # Thousands of windows of one commit have the same inputs.
        inputs = self._inputs(dataset, {version for *_, version in rows})
        found = {}
        for hour, every, fingerprint, version in rows:
            start = None if hour is None else instant_of(hour)
            versions = inputs[version]
            if versions is not None:
                found[start] = WindowState(start, every, fingerprint, versions, version)
        return found

    def _inputs(self, dataset: str, versions: Collection[int]) -> dict[int, dict[str, int] | None]:
        """What some versions of a table were computed from; None where a version of an input is gone."""
        inputs: dict[int, dict[str, int] | None] = {version: {} for version in versions}
        facts = self.facts("input", "dataset", dataset)
        if facts is None or not versions:
            return inputs
        rows = self._database.fetch(
            f"select version, input, input_version from {facts} as i where dataset = $dataset "
            "and version in (select unnest($versions))",
            {"dataset": dataset, "versions": sorted(versions)},
        )
        for version, name, input_version in rows:
            known = inputs[version]
            if input_version > self._last.get(name, (-1, 0))[0]:
                inputs[version] = None
            elif known is not None:
                known[name] = input_version
        return inputs
