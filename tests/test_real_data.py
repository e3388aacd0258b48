"""Public data, held to facts that were computed without Backbone."""

from __future__ import annotations

import csv
import io
import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Postgres, Trial, utc
from test_docs import blocks

RENTALS = "backbone.pipelines.movie_rentals"
EXAMPLE = (
    "select payment_id as invoice_id, customer_id, 1 as quantity, amount as unit_price, "
    "payment_date as purchased_at from payment "
    "where payment_date >= $window_start and payment_date < $window_end"
)
MONTHS = [
    (723, Decimal("3094.78")),
    (2401, Decimal("10164.97")),
    (2713, Decimal("11413.86")),
    (2547, Decimal("10759.52")),
    (2677, Decimal("11347.28")),
    (2654, Decimal("10923.45")),
    (2334, Decimal("9712.65")),
]


@pytest.fixture(scope="module")
def retail(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Twenty daily files of purchases, fed to the shipped pipeline by settings alone."""
    trial = Trial(tmp_path_factory.mktemp("retail"), source="user_purchase", pipeline=RENTALS)
    trial.settings(
        f"""
        path = '{shared_data}/online_retail/*.csv'
        columns = {{ invoice_id = "InvoiceNo", customer_id = "CustomerID", quantity = "Quantity", unit_price = "UnitPrice", purchased_at = "InvoiceDate" }}
        """  # noqa: E501
    )
    trial.run_well()
    return trial


def spent(trial: Trial) -> tuple[Any, ...]:
    return trial.rows(
        "select sum(amount_spent), count(*), count(distinct window_start), count(distinct customer_id) "
        "from exploitation.user_behavior_metric"
    )[0]


def test_no_purchase_is_lost(retail: Trial) -> None:
    assert retail.accounted() == (42481, 42481, 0, 0)
    assert retail.rows(
        "select count(*), sum(quantity), sum(quantity * unit_price), count(distinct customer_id), "
        "count(*) - count(customer_id) from formatted.user_purchase"
    ) == [(42481, 342228, Decimal("748957.020"), 948, 15631)]
    assert retail.value("select count(*) from formatted.user_purchase where invoice_id like 'C%'") > 0


def test_lines_that_repeat_another_are_kept(retail: Trial) -> None:
    columns = "invoice_id, customer_id, quantity, unit_price, purchased_at"
    distinct = retail.value(f"select count(*) from (select distinct {columns} from formatted.user_purchase)")
    assert 42481 - distinct == 19977


def test_ignored_columns_are_reported(retail: Trial) -> None:
    notes = retail.value("select notes from operations.receipt where dataset = 'formatted.user_purchase'")
    assert notes == ["ignored column Country", "ignored column Description", "ignored column StockCode"]


def test_purchases_without_a_customer_are_measured(retail: Trial) -> None:
    measures = retail.rows(
        "select measures from operations.receipt where dataset = 'exploitation.user_behavior_metric'"
    )
    assert sum(int(json.loads(m)["purchases_without_customer"]) for (m,) in measures) == 15631


def test_what_lies_at_a_path_is_only_read_and_once(retail: Trial, shared_data: Path) -> None:
    versions = retail.versions()
    assert retail.run_well().receipts == []
    assert retail.versions() == versions
    landed = {b.name: (retail.root / b.path).read_bytes() for b in retail.batches()}
    assert landed == {p.name: p.read_bytes() for p in (shared_data / "online_retail").glob("*.csv")}


@pytest.mark.parametrize("every", ["hour", "week", "month", "day"])
def test_another_cadence_is_a_setting_and_changes_no_sum(retail: Trial, every: str) -> None:
    retail.settings(every=every).run_well()
    amount, rows, windows, customers = spent(retail)
    assert (amount, customers) == (Decimal("554604.020"), 948)
    assert rows >= windows
    starts = f"date_trunc('{every}', purchased_at)"
    assert windows == retail.value(
        f"select count(distinct {starts}) from formatted.user_purchase where customer_id is not null"
    )
    misplaced = f"window_start <> date_trunc('{every}', window_start)"
    assert retail.value(f"select count(*) from exploitation.user_behavior_metric where {misplaced}") == 0
    measures = retail.value(
        "select measures from operations.receipt where dataset = 'exploitation.user_behavior_metric' "
        "order by version desc limit 1"
    )
    assert json.loads(measures)["purchases_without_customer"] == "15631"
    assert retail.run_well().receipts == []


@pytest.fixture(scope="module")
def shop(shared_data: Path, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The film rental database, extracted by query and window."""
    folder = shared_data / "pagila"
    url = postgres.create("pagila", folder / "pagila-schema.sql", folder / "pagila-data.sql")
    trial = Trial(tmp_path_factory.mktemp("shop"), source="payment", pipeline=RENTALS, every="month")
    (trial.root / "backbone.toml").write_text(
        f"""
        [project]
        pipelines = ["{RENTALS}"]

        [connections.shop]
        url = "{url}"

        [sources.user_purchase]
        connection = "shop"
        query = "{EXAMPLE}"
        start = 2022-01-01

        [sources.rental]
        connection = "shop"
        query = "select rental_id, rental_date as rented_at, inventory_id, customer_id from rental where rental_date >= $window_start and rental_date < $window_end"
        start = 2022-01-01

        [sources.payment]
        connection = "shop"
        query = "select payment_id, customer_id, rental_id, amount, payment_date as paid_at from payment where payment_date >= $window_start and payment_date < $window_end"
        start = 2022-01-01

        [sources.inventory]
        connection = "shop"
        query = "select inventory_id, film_id from inventory order by 1"

        [sources.film_category]
        connection = "shop"
        query = "select film_id, category_id from film_category order by 1"

        [sources.category]
        connection = "shop"
        query = "select category_id, name from category order by 1"

        [pipelines.movie_rentals]
        every = "month"
        """  # noqa: E501
    )
    trial.run_well(now=utc("2023-01-01"))
    return trial


def test_the_shops_payments_arrive_to_the_cent(shop: Trial) -> None:
    assert shop.rows("select count(*), sum(amount) from formatted.payment") == [(16049, Decimal("67416.510"))]
    assert shop.rows(
        "select customer_id, sum(amount) as paid from formatted.payment group by all "
        "order by paid desc limit 1"
    ) == [(526, Decimal("221.550"))]
    assert (
        shop.rows(
            "select count(*), sum(amount) from formatted.payment "
            "group by date_trunc('month', paid_at) order by date_trunc('month', paid_at)"
        )
        == MONTHS
    )
    assert shop.rows("select count(*), sum(amount) from formatted.payment where rental_id = 4591") == [
        (6, Decimal("13.940"))
    ]


def test_the_shops_other_tables_arrive_whole(shop: Trial) -> None:
    for source, rows in {
        "rental": 16044,
        "payment": 16049,
        "inventory": 4581,
        "film_category": 1000,
        "category": 16,
        "user_purchase": 16049,
    }.items():
        counted = shop.account(source).rows
        assert (counted.rows, counted.formatted) == (rows, rows), source


def test_genres_keep_every_payment(shop: Trial) -> None:
    assert shop.rows(
        "select category, sum(amount) as paid from exploitation.customer_genre_metric "
        "group by all order by paid desc limit 1"
    ) == [("Sports", Decimal("5314.210"))]
    assert shop.rows("select sum(amount), sum(rentals) from exploitation.customer_genre_metric") == [
        (Decimal("67416.510"), 16044)
    ]
    assert (
        shop.value(
            "select count(*) from formatted.payment p join formatted.rental using (rental_id) "
            "join formatted.inventory using (inventory_id) join formatted.film_category using (film_id) "
            "join formatted.category c using (category_id) where c.name = 'Sports'"
        )
        == 1179
    )


def test_payments_feed_purchases_by_the_documented_query(shop: Trial) -> None:
    assert spent(shop)[0] == Decimal("67416.510")
    assert shop.rows(
        "select customer_id, sum(amount_spent) from exploitation.user_behavior_metric "
        "group by all order by 2 desc limit 1"
    ) == [(526, Decimal("221.550"))]


def test_a_second_run_extracts_and_changes_nothing(shop: Trial) -> None:
    versions, batches = shop.versions(), shop.batches()
    extracted: list[str] = []
    result = shop.run_well(now=utc("2023-01-01"), progress=extracted.append)
    assert result.receipts == []
    assert not [text for text in extracted if text.startswith("extract")]
    assert shop.versions() == versions
    assert shop.batches() == batches


REVIEW = """
    class Review(Contract):
        'A review of a film.'
        review_id: Annotated[str, Key]
        split: str
        rating: Annotated[int, Field(ge=1, le=10)]
        review_text: str
    """


def test_long_quoted_texts_survive_byte_for_byte(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "movie_reviews" / "reviews.csv"
    with path.open(newline="", encoding="utf-8") as file:
        expected = {row["review_id"]: row for row in csv.DictReader(file)}
    trial = Trial(tmp_path, source="review", event_time=None).contract(REVIEW)
    trial.settings(f"path = '{path}'").run_well()
    found = {
        row[0]: dict(zip(("review_id", "split", "rating", "review_text"), map(str, row), strict=True))
        for row in trial.formatted("review_id, split, rating, review_text")
    }
    assert found == expected
    assert sum('"' in row["review_text"] for row in found.values()) == 1430
    assert trial.accounted() == (3125, 3125, 0, 0)
    assert trial.rows(
        "select count_if(rating <= 3), count_if(rating between 4 and 7), count_if(rating >= 8) "
        "from formatted.review"
    ) == [(1195, 652, 1278)]


def test_csv_files_that_break_naive_parsers(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "csv_spectrum" / "csvs").glob("*.csv"))
    assert len(files) > 10
    for path in files:
        expected = json.loads((path.parents[1] / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
        names = list(expected[0]) if expected else next(csv.reader(io.StringIO(path.read_text("utf-8"))))
        root = tmp_path / path.stem
        root.mkdir()
        fields = "".join(f"    field_{n}: str | None\n" for n in range(len(names)))
        trial = Trial(root, source="table", event_time=None)
        trial.contract(f"class Table(Contract):\n    'A table of texts.'\n{fields}")
        mapped = ", ".join(f"field_{n} = {json.dumps(name)}" for n, name in enumerate(names))
        encoding = 'encoding = "latin-1"' if path.stem == "latin1" else ""
        trial.settings(f"columns = {{ {mapped} }}\n{encoding}")
        data = path.read_bytes()
        if path.stem.endswith("_crlf") and b"\r" not in data:  # which a checkout may have taken away
            data = data.replace(b"\n", b"\r\n")
        trial.drop(data, path.name)
        trial.run_well()
        rows = trial.formatted(", ".join(f"field_{n}" for n in range(len(names))) + ", _row", "_row")
        # An empty value is null: contracts tell nothing apart from an empty text.
        assert [{n: v or "" for n, v in zip(names, row, strict=False)} for row in rows] == expected, path.stem


BANK_FEATURES = ("age", "balance", "campaign", "pdays", "previous")
BANK_YES_AND_ALL = {
    "blue-collar": (708, 9732),
    "management": (1301, 9458),
    "technician": (840, 7597),
    "admin.": (631, 5171),
    "services": (369, 4154),
    "retired": (516, 2264),
    "self-employed": (187, 1579),
    "entrepreneur": (123, 1487),
    "unemployed": (202, 1303),
    "housemaid": (109, 1240),
    "student": (269, 938),
    "unknown": (34, 288),
}


@pytest.fixture(scope="module")
def bank(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The pipeline of the page on per-group models, as it stands there, fed with the bank's calls."""
    root = tmp_path_factory.mktemp("bank")
    page = (Path(__file__).parents[1] / "docs" / "per-group-models.md").read_text(encoding="utf-8")
    for block in blocks(page):
        file = block.words.get("file", "")
        if file.startswith("campaign/") and not file.endswith(".csv"):
            (root / Path(file).name).write_text(block.body, encoding="utf-8")
    shutil.copy(shared_data / "bank_marketing" / "bank-full.csv", root / "calls.csv")
    trial = Trial(root, source="call", pipeline="calls")
    trial.run_well()
    return trial


def test_every_job_has_a_model_and_every_call_is_counted(bank: Trial) -> None:
    assert bank.accounted() == (45211, 45211, 0, 0)
    found = bank.rows("select job, n_positive, n_rows, status, n_missing from exploitation.job_model")
    assert {row[0]: row[1:3] for row in found} == BANK_YES_AND_ALL
    assert {row[3:] for row in found} == {("fitted", 0)}
    assert bank.value("select sum(balance) from formatted.call") == 61589682
    assert bank.value("select distinct inputs from exploitation.job_model") == "formatted.call@0"


def test_the_models_of_the_jobs_are_the_optimum(bank: Trial) -> None:
    from sklearn.linear_model import LogisticRegression

    listed = ", ".join(f"coef_{name}" for name in BANK_FEATURES)
    models = {
        row[0]: row[1:] for row in bank.rows(f"select job, intercept, {listed} from exploitation.job_model")
    }
    for job, found in models.items():
        sql = f"select {', '.join(BANK_FEATURES)}, y = 'yes' from formatted.call where job = $job"
        rows = np.array(bank.rows(sql, {"job": job}), dtype=float)
        x, y = rows[:, :-1], rows[:, -1]
        mean, scale = x.mean(axis=0), x.std(axis=0)
        # The same objective in coordinates in which scikit-learn gets to the optimum: balances are in
        # thousands beside counts of three. The gradient in the data's own units tells that it is reached.
        score = found[0] + x @ np.array(found[1:])
        residual = 1 / (1 + np.exp(-score)) - y
        gradient = np.append((x - mean).T @ residual / scale + np.array(found[1:]) / scale, residual.sum())
        assert np.abs(gradient).max() < 1e-6 * len(y)
        expected = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=10_000).fit(x, y)
        theirs = np.append(expected.intercept_, expected.coef_[0])
        assert np.linalg.norm(theirs - found) <= 1e-6 * np.linalg.norm(theirs), job
