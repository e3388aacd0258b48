"""Which sources and tables are to be brought up to date, by the names of pipelines and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backbone.errors import PipelineError
from backbone.exploitation.model import LoadedModel
from backbone.loading import LoadedPipeline, sources_of
from backbone.pipeline import Source
from backbone.project import Project


@dataclass(frozen=True)
class Selection:
    """What is selected of a project.

    Parameters
    ----------
    land : the sources to land, each with the cadence at which a query of it is extracted.
    format : the sources to format.
    models : the tables to compute, each after those it reads.
    pipelines : those that the selected tables and sources are of.
    """

    land: tuple[tuple[Source, str], ...]
    format: tuple[Source, ...]
    models: tuple[LoadedModel, ...]
    pipelines: tuple[LoadedPipeline, ...]


def select(project: Project, names: Sequence[str], *, only: bool = False) -> Selection:
    """The sources and tables of some names; everything when none is given.

    A pipeline's name stands for its sources and its tables. The name of a table stands for the table and all
    that it depends on, whichever pipelines that is of.

    Parameters
    ----------
    names : pipelines, and tables such as `exploitation.rare_edge` and `formatted.connection`.
    only : leave out what they depend on: of a pipeline its tables alone, and nothing is landed.

    Raises
    ------
    PipelineError
        When there is no pipeline or table of a name.
    """
    if not names:
        if only:
            raise PipelineError(
                "argument", "--only goes with the name of a pipeline or table", "", "name one"
            )
        sources = tuple(project.sources)
        formatted = tuple(source for source, _ in sources)
        return Selection(sources, formatted, tuple(project.models.values()), project.pipelines)
    pipelines = {p.pipeline.name: p for p in project.pipelines}
    by_dataset = {source.dataset: source for source, _ in project.sources}
    tables: set[str] = set()
    named: list[LoadedPipeline] = []
    for name in names:
        if name in pipelines:
            named.append(pipelines[name])
            tables.update(model.dataset for model in pipelines[name].models)
        elif name in by_dataset or name in project.models:
            tables |= {name} if only else _above(project, name)
        else:
            raise _unknown(project, name, [*by_dataset, *project.models])
    landed = {} if only else {source.name: (source, every) for source, every in sources_of(named)}
    for source, every in () if only else project.sources:
        if source.dataset in tables:
            landed.setdefault(source.name, (source, every))
    formatted = tuple(source for source, _ in landed.values())
    if only:
        formatted = tuple(source for dataset, source in by_dataset.items() if dataset in tables)
    return Selection(
        tuple(landed.values()),
        formatted,
        tuple(model for dataset, model in project.models.items() if dataset in tables),
        tuple(p for p in project.pipelines if p in named or _is_of(p, tables)),
    )


def _above(project: Project, dataset: str) -> set[str]:
    """A table with all tables that it is computed from, directly or through others."""
    found: set[str] = set()
    left = [dataset]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += project.models[name].inputs if name in project.models else ()
    return found


def _is_of(loaded: LoadedPipeline, tables: set[str]) -> bool:
    own = [*(model.dataset for model in loaded.models), *(s.dataset for s in loaded.pipeline.sources)]
    return not tables.isdisjoint(own)


def _unknown(project: Project, name: str, tables: Sequence[str]) -> PipelineError:
    pipelines = ", ".join(p.pipeline.name for p in project.pipelines) or "none"
    return PipelineError(
        name,
        "the project has no pipeline or table of this name; "
        f"its pipelines are {pipelines}; its tables are {', '.join(tables) or 'none'}",
        "Nothing was run.",
        "mend the name; a table's is written with its zone, such as exploitation.NAME",
    )
