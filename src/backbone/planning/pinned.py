"""Tables read at versions that are given, whatever came after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backbone.errors import SettingsError
from backbone.lake.table import Lake, TableVersion


class PinnedLake(Lake):
    """A lake that reads some tables at given versions, and all others as they are."""

    def __init__(self, project: Path, pins: Mapping[str, int]) -> None:
        super().__init__(project)
        self._pins = pins

    @classmethod
    def of(cls, lake: Lake, pins: Mapping[str, int]) -> Lake:
        """The lake itself where the versions are those of now, as it knows its tables already."""
        if all(lake.version(dataset) == version for dataset, version in pins.items()):
            return lake
        return cls(lake.project, pins)

    def read(self, dataset: str, version: int | None = None) -> TableVersion:
        return super().read(dataset, self._pins.get(dataset) if version is None else version)


def check_pins(lake: Lake, pins: Mapping[str, int]) -> None:
    """Every version that is asked for is there.

    Raises
    ------
    SettingsError
        When one is not.
    """
    for dataset, version in pins.items():
        last = lake.version(dataset)
        if not 0 <= version <= last:
            there = f"its versions are 0 to {last}" if last >= 0 else "there is no such table"
            raise SettingsError(
                f"pin of {dataset}",
                f"expected a version that is there, found {version}; {there}",
                "Nothing was run.",
                f"backbone history {dataset}" if last >= 0 else "mend the name",
            )
