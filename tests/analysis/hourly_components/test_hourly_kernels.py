"""Every kernel keeps the laws, odd hours among the others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dense_hours import Matrix, cells

from backbone.analysis.groups import Kernel, chunks
from backbone.analysis.hourly_components.components_kernel import ComponentsKernel, restored
from backbone.analysis.hourly_components.count_kernel import CountKernel
from backbone.analysis.hourly_components.drivers_kernel import DriversKernel, drivers
from backbone.analysis.hourly_components.loadings_kernel import LoadingsKernel
from backbone.analysis.hourly_components.principal import Principal, principal
from backbone.testing import check_kernel

DAYS = 20
CALENDAR = np.arange(DAYS, dtype=np.int32)


def _hours() -> list[Matrix]:
    random = np.random.default_rng(7)
    made = [
        random.poisson(3, (DAYS, random.integers(1, 90))) * (random.random((DAYS, 1)) < density)
        for density in (0.05, 0.2, 0.6, 1.0) * 5
    ]
    one_day = np.zeros((DAYS, 30))
    one_day[4] = 2
    return [*made, one_day, np.full((DAYS, 3), 2), np.eye(DAYS), random.poisson(0.2, (DAYS, 70))]


def _rows() -> pa.Table:
    tables = []
    for hour, matrix in enumerate(_hours()):
        code, day, events = cells(matrix)
        key = pa.array(np.full(len(code), hour), pa.int16())
        tables.append(pa.table({"hour": key, "code": code, "day": day, "events": events}))
    return pa.concat_tables(tables)


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return _rows()


def _components(rows: pa.Table, calendar: bool = True) -> dict[int, Principal]:
    (groups,) = chunks(rows.combine_chunks().to_batches(), ["hour"], chunk_bytes=1 << 60)
    kernel = ComponentsKernel(CALENDAR if calendar else None, 0.95)
    found = pa.Table.from_batches([kernel(groups)])
    return restored(found.filter(pc.is_valid(found["found"])))


@pytest.mark.parametrize("calendar", [CALENDAR, None], ids=["calendar", "observed"])
@pytest.mark.parametrize("kind", ["components", "drivers", "loadings"])
def test_kernels_keep_the_laws(rows: pa.Table, kind: str, calendar: np.ndarray | None) -> None:
    hours = _components(rows, calendar is not None)
    kernels: dict[str, Kernel] = {
        "components": ComponentsKernel(calendar, 0.95),
        "drivers": DriversKernel(hours, calendar),
        "loadings": LoadingsKernel(hours),
    }
    check_kernel(kernels[kind], rows, ["hour"])


@pytest.mark.parametrize("weighted", [False, True])
def test_counting_keeps_the_laws(rows: pa.Table, weighted: bool) -> None:
    amounts = rows.rename_columns(["hour", "code", "day", "amount"]) if weighted else rows.drop("events")
    twice = amounts.take(pa.array(np.repeat(np.arange(len(amounts)), 1 + np.arange(len(amounts)) % 3)))
    check_kernel(CountKernel(weighted), twice, ["hour"])


def test_a_row_has_what_was_found(rows: pa.Table) -> None:
    for hour, found in _components(rows).items():
        matrix = _hours()[hour]
        expected = principal(*cells(matrix), CALENDAR, 0.95)
        assert (found.days, found.users, found.total) == (expected.days, expected.users, expected.total)
        for name in ("active", "squares", "cluster", "patterns"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_day_drives_a_score_by_what_it_adds_to_the_entry() -> None:
    random = np.random.default_rng(3)
    matrix = np.asarray(random.poisson(2, (DAYS, 40)), dtype=np.float64)
    matrix[8, 5], matrix[:, 6] = 60, 30
    matrix[:3] = 0
    found = principal(*cells(matrix), CALENDAR, 0.9)
    listed = drivers(*cells(matrix), found, CALENDAR)
    centred = matrix - matrix.mean(axis=0)
    strength, length, directions = np.linalg.svd(centred, full_matrices=False)
    n_components = len(found.squares)
    for user, one in enumerate(listed):
        k = int(np.argmax(np.abs(directions[:n_components, user])))
        part = centred[:, user] * strength[:, k] / length[k] / directions[k, user]
        assert part.sum() == pytest.approx(1.0)
        np.testing.assert_allclose(one.part, part[one.day], atol=1e-9)
        assert one.part.tolist() == pytest.approx(sorted(part, reverse=True)[: len(one.part)])
        assert one.part.sum() > 0.5 - 1e-9 and one.part[:-1].sum() < 0.5
        assert one.events.tolist() == matrix[one.day, user].tolist()
        assert one.usual == np.median(matrix[:, user])
    assert listed[5].day.tolist() == [8]
    assert listed[6].day.tolist() == [0, 1], "driven by what is missing, on days on which nobody was active"


def test_of_days_that_drive_as_much_that_with_events_is_first() -> None:
    matrix = np.array([[1.0, 0.0], [0.0, 1.0]])
    calendar = np.arange(2, dtype=np.int32)
    found = principal(*cells(matrix), calendar, 0.99)
    listed = drivers(*cells(matrix), found, calendar)
    assert [(one.day[0], one.events[0]) for one in listed] == [(0, 1.0), (1, 1.0)]
