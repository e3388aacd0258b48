"""Of equal keys one row is formatted, and the others are kept aside."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from conftest import HEADER, KEYED_SALE, ONE, SALE, TWO, Trial

EARLY, LATE = "1,tea,1.00,2026-01-01 08:00:00\n", "1,tea,2.00,2026-01-02 08:00:00\n"


def project(root: Path, contract: str = KEYED_SALE) -> Trial:
    root.mkdir(parents=True)
    return Trial(root).contract(contract)


@pytest.mark.parametrize("files", [[EARLY + LATE], [LATE + EARLY], [EARLY, LATE], [LATE, EARLY]])
@pytest.mark.parametrize("together", [True, False], ids=["in one run", "in two runs"])
def test_the_latest_event_time_wins(keyed: Trial, files: list[str], together: bool) -> None:
    for number, rows in enumerate(files):
        keyed.drop(HEADER + rows, f"{number}.csv")
        if not together:
            keyed.run_well()
    keyed.run_well()
    assert keyed.formatted("cast(price as double)") == [2.0]
    assert keyed.rows("select cast(price as double) from duplicate.sale") == [(1.0,)]
    assert keyed.accounted() == (2, 1, 0, 1)


def test_equal_rows_are_one_row_and_its_duplicates(keyed: Trial) -> None:
    keyed.drop(HEADER + ONE * 3 + TWO)
    keyed.drop(HEADER + ONE, "more.csv")
    keyed.run_well()
    assert keyed.formatted() == [1, 2]
    assert keyed.accounted() == (5, 2, 0, 3)


def test_without_a_key_repeats_are_kept(trial: Trial) -> None:
    trial.drop(HEADER + ONE * 3)
    trial.run_well()
    assert trial.formatted() == [1, 1, 1]
    assert trial.accounted() == (3, 3, 0, 0)


def test_a_key_of_several_columns(tmp_path: Path) -> None:
    both = KEYED_SALE.replace("item: str", "item: Annotated[str, Key]")
    trial = project(tmp_path / "project", both)
    trial.drop(HEADER + EARLY + LATE + EARLY.replace("tea", "cake"))
    trial.run_well()
    assert trial.formatted("item") == ["cake", "tea"]
    assert trial.accounted() == (3, 2, 0, 1)


def test_a_row_in_quarantine_competes_with_none(keyed: Trial) -> None:
    keyed.drop(HEADER + EARLY + LATE.replace("2.00", "-2.00"))
    keyed.run_well()
    assert keyed.formatted("cast(price as double)") == [1.0]
    assert keyed.accounted() == (2, 1, 1, 0)


def test_replacing_the_winners_file_revives_the_loser(keyed: Trial) -> None:
    keyed.drop(HEADER + EARLY, "a.csv")
    keyed.drop(HEADER + LATE, "b.csv")
    keyed.run_well()
    keyed.drop(HEADER + TWO, "b.csv")
    keyed.run_well()
    assert keyed.formatted("sale_id, cast(price as double)") == [(1, 1.0), (2, 3.25)]
    assert keyed.accounted() == (2, 2, 0, 0)
    keyed.drop(HEADER + TWO + LATE, "b.csv")
    keyed.run_well()
    assert keyed.formatted("sale_id, cast(price as double)") == [(1, 2.0), (2, 3.25)]
    assert keyed.accounted() == (3, 2, 0, 1)


def test_of_several_losers_the_next_best_is_revived(keyed: Trial) -> None:
    for day in (1, 2, 3):
        keyed.drop(f"{HEADER}1,tea,{day},2026-01-0{day}\n", f"{day}.csv")
    keyed.run_well()
    keyed.drop(HEADER, "3.csv")
    keyed.run_well()
    assert keyed.formatted("cast(price as int)") == [2]
    assert keyed.accounted() == (2, 1, 0, 1)
    keyed.drop(HEADER, "1.csv")
    keyed.run_well()
    assert keyed.formatted("cast(price as int)") == [2]
    assert keyed.accounted() == (1, 1, 0, 0)


def test_a_key_may_be_declared_later_and_withdrawn(trial: Trial) -> None:
    trial.drop(HEADER + EARLY + LATE)
    trial.run_well()
    assert trial.accounted() == (2, 2, 0, 0)
    trial.contract(KEYED_SALE).run_well()
    assert trial.accounted() == (2, 1, 0, 1)
    trial.contract(SALE).run_well()
    assert trial.accounted() == (2, 2, 0, 0)


def rows(seed: int) -> list[str]:
    """Rows of few keys and few instants, so that many compete and tie."""
    draw = random.Random(seed)
    items = ["tea", "cake", "a, b"]
    return [
        f"{draw.randint(1, 4)},{draw.choice(items)},{draw.randint(0, 3)},2026-01-0{draw.randint(1, 3)}\n"
        for _ in range(18)
    ]


def quoted(row: str) -> str:
    return row.replace("a, b", '"a, b"')


@pytest.mark.parametrize("seed", [1, 2])
def test_by_hash_the_outcome_does_not_depend_on_the_order_of_arrival(tmp_path: Path, seed: int) -> None:
    drawn = rows(seed)
    parts = {f"{n}.csv": HEADER + "".join(map(quoted, drawn[n::3])) for n in range(3)}
    outcomes = []
    for number, order in enumerate([*itertools.permutations(parts)][::2]):
        trial = project(tmp_path / str(number)).settings('latest = "hash"')
        for name in order:
            trial.drop(parts[name], name)
            if number % 2:
                trial.run_well()
        trial.run_well()
        outcomes.append(trial.formatted("sale_id, item, price, sold_at"))
        assert trial.accounted() == (18, len(outcomes[0]), 0, 18 - len(outcomes[0]))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    latest: dict[str, str] = {}
    for row in drawn:
        key, day = row.partition(",")[0], row.strip()[-10:]
        latest[key] = max(latest.get(key, ""), day)
    assert {str(key): f"{at:%Y-%m-%d}" for key, _, _, at in outcomes[0]} == latest


@pytest.mark.parametrize("latest", ["delivery", "hash"])
@pytest.mark.parametrize("seed", [3, 4])
def test_versions_in_any_number_end_like_a_fresh_project(tmp_path: Path, seed: int, latest: str) -> None:
    draw = random.Random(seed)
    trial = project(tmp_path / "lived").settings(f'latest = "{latest}"')
    last: dict[str, str] = {}
    for turn in range(6):
        name = draw.choice(["a.csv", "b.csv", "c.csv"])
        drawn = draw.sample(rows(seed + turn), draw.randint(0, 6))
        last[name] = HEADER + "".join(map(quoted, drawn)) + f"{100 + turn},x,-1,2026-01-01\n"
        trial.drop(last[name], name)
        trial.run_well()
        trial.accounted()
    fresh = project(tmp_path / "fresh").settings(f'latest = "{latest}"')
    for name, data in last.items():  # in the order in which their first versions came
        fresh.drop(data, name)
        fresh.run_well()
    fields = "sale_id, item, price, sold_at"
    assert trial.formatted(fields) == fresh.formatted(fields)
    assert trial.accounted() == fresh.accounted()


CUSTOMER = """
class Customer(Contract):
    'Someone who buys, without a time.'
    customer_id: Annotated[int, Key]
    city: str
"""


def customers(root: Path, section: str = "") -> Trial:
    root.mkdir(parents=True)
    return Trial(root, source="customer", event_time=None).contract(CUSTOMER).settings(section)


def cities(trial: Trial) -> list[tuple[int, str]]:
    return trial.formatted("customer_id, city")


def file_of(cities: dict[int, str]) -> str:
    return "customer_id,city\n" + "".join(f"{number},{city}\n" for number, city in cities.items())


JANUARY = {n: f"old-{n}" for n in range(20)}
FEBRUARY = {n: f"new-{n}" for n in range(20)}


@pytest.mark.parametrize("together", [True, False], ids=["in one run", "in two runs"])
def test_without_an_event_time_the_later_file_wins(tmp_path: Path, together: bool) -> None:
    trial = customers(tmp_path / "p")
    trial.drop(file_of(JANUARY), "2026-01.csv")
    if not together:
        trial.run_well()
    trial.drop(file_of(FEBRUARY), "2026-02.csv")
    trial.run_well()
    assert cities(trial) == [*FEBRUARY.items()]
    assert trial.rows("select customer_id, city from duplicate.customer order by all") == [*JANUARY.items()]
    assert trial.accounted() == (40, 20, 0, 20)


def test_a_back_fill_that_arrives_later_wins_as_it_is_the_later_delivery(tmp_path: Path) -> None:
    trial = customers(tmp_path / "p")
    trial.drop(file_of(FEBRUARY), "2026-02.csv")
    trial.run_well()
    trial.drop(file_of({3: "old-3", 50: "old-50"}), "2026-01.csv")
    trial.run_well()
    assert cities(trial) == sorted((FEBRUARY | {3: "old-3", 50: "old-50"}).items())


def test_a_new_version_of_a_file_has_the_place_of_its_first(tmp_path: Path) -> None:
    trial = customers(tmp_path / "p")
    for name, rows in (("2026-01.csv", JANUARY), ("2026-02.csv", FEBRUARY)):
        trial.drop(file_of(rows), name)
        trial.run_well()
    trial.drop(file_of(JANUARY | {5: "corrected-5", 60: "corrected-60"}), "2026-01.csv")
    trial.run_well()
    assert cities(trial) == [*(FEBRUARY | {60: "corrected-60"}).items()]
    assert trial.accounted() == (41, 21, 0, 20)
    trial.drop(file_of({60: "newer-60"}), "2026-02.csv")
    trial.run_well()
    assert cities(trial) == sorted((JANUARY | {5: "corrected-5", 60: "newer-60"}).items())


def test_a_refused_first_version_gives_its_file_its_place(tmp_path: Path) -> None:
    trial = customers(tmp_path / "p")
    trial.drop(b"", "a.csv")
    assert trial.command("run").status == 1
    trial.drop(file_of({1: "b"}), "b.csv")
    assert trial.command("run").status == 1
    trial.drop(file_of({1: "a"}), "a.csv")
    trial.run_well()
    assert cities(trial) == [(1, "b")]


def test_of_one_file_the_later_record_wins(tmp_path: Path) -> None:
    trial = customers(tmp_path / "p")
    trial.drop("customer_id,city\n1,zebra\n1,middle\n1,ant\n")
    trial.run_well()
    assert cities(trial) == [(1, "ant")]
    assert trial.value("select _row from formatted.customer") == 2


def test_appended_versions_are_files_of_their_own_each_with_its_place(tmp_path: Path) -> None:
    trial = customers(tmp_path / "p", 'redelivery = "append"')
    for name, city in (("a.csv", "first"), ("b.csv", "second"), ("a.csv", "third")):
        trial.drop(file_of({1: city}), name)
        trial.run_well()
    assert cities(trial) == [(1, "third")]
    assert trial.accounted() == (3, 1, 0, 2)
    trial.settings("").run_well()
    assert cities(trial) == [(1, "second")], "as versions of one file they have the place of its first"
    assert trial.accounted() == (2, 1, 0, 1)


def test_between_equal_event_times_the_later_delivery_wins(keyed: Trial) -> None:
    for name, price in (("a.csv", 9), ("b.csv", 1), ("c.csv", 5)):
        keyed.drop(f"{HEADER}1,tea,{price},2026-01-02\n2,tea,{price},2026-01-0{price}\n", name)
        keyed.run_well()
    assert keyed.formatted("sale_id, cast(price as int)") == [(1, 5), (2, 9)]


def test_what_is_latest_is_a_setting_whose_change_restates(tmp_path: Path) -> None:
    trial = customers(tmp_path / "p", 'latest = "hash"')
    for name, rows in (("2026-01.csv", JANUARY), ("2026-02.csv", FEBRUARY)):
        trial.drop(file_of(rows), name)
        trial.run_well()
    winners = [dict(cities(trial))[n].partition("-")[0] for n in range(20)]
    assert {"old", "new"} == {*winners}, "the hash decides"
    trial.settings("").run_well()
    assert cities(trial) == [*FEBRUARY.items()]
    assert trial.run_well().receipts == []
    assert trial.settings('latest = "newest"').command("run").status == 2


@pytest.mark.parametrize("seed", range(3))
def test_deliveries_in_any_order_end_as_a_plain_dictionary_says(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    trial = customers(tmp_path / "p")
    files: dict[str, list[tuple[int, str]]] = {}
    for turn in range(8):
        name = draw.choice(["a.csv", "b.csv", "c.csv", "d.csv"])
        files[name] = [(draw.randint(1, 6), f"{turn}-{n}") for n in range(draw.randint(0, 6))]
        lines = "".join(f"{number},{city}\n" for number, city in files[name])
        trial.drop(f"customer_id,city\n{lines}", name)
        if draw.random() < 0.7:
            trial.run_well()
            trial.accounted()
    trial.run_well()
    expected: dict[int, str] = {}
    for name in sorted(files, key=lambda n: (_arrived(trial, n), n)):
        expected |= dict(files[name])
    assert cities(trial) == sorted(expected.items())


def _arrived(trial: Trial, name: str) -> str:
    return min(b.arrived_at.isoformat() for b in trial.batches("landed") if b.name == name)
