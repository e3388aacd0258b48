"""What a pipeline declares: the sources it reads and the tables it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backbone.contracts.contract import Contract
from backbone.dataset import Dataset
from backbone.exploitation.csv_export import CsvExport
from backbone.exploitation.model import Model

Validators = Mapping[str, tuple[str, Callable[[Any], bool]]]


@dataclass(frozen=True)
class Source:
    """A table of the formatted zone: where rows come from is said in `backbone.toml`.

    Parameters
    ----------
    name : the source's name, and that of its formatted table.
    contract : what its rows conform to.
    event_time : the field that says when a row happened; None for a table without windows.
    """

    name: str
    contract: type[Contract]
    event_time: str | None = None

    @property
    def dataset(self) -> str:
        return str(Dataset("formatted", self.name))


@dataclass(frozen=True)
class Pipeline:
    """Sources and the tables computed from them.

    Parameters
    ----------
    name : as under `[pipelines.NAME]` in `backbone.toml`.
    every : the length of a window, `hour`, `day`, `week` or `month`, unless the settings say otherwise; None
        for tables without windows. A table none of whose inputs has windows has none either.
    sources, steps : in any order; what reads what decides what runs first.
    parameters : names and default values, which `[pipelines.NAME]` may set.
    validators : of a parameter what it has to be, in words and as a function of the value, such as
        `{"folds": ("a whole number from 2", lambda folds: folds >= 2)}`; checked when the project is opened.
        Of `every` too.
    exports : files that are written of its tables, where a parameter names a folder.
    """

    name: str
    sources: Sequence[Source]
    steps: Sequence[Model]
    every: str | None = "day"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    validators: Validators = field(default_factory=dict)
    exports: Sequence[CsvExport] = ()
