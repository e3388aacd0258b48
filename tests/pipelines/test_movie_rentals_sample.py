"""The written sample, read with nothing but csv and sqlite3, is what its `Sample` says."""

import csv
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from backbone.pipelines.movie_rentals.sample import Sample, write_sample

Written = tuple[int, Path, Sample]
Row = list[str]


@pytest.fixture(scope="module", params=[1, 2], ids="scale {}".format)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    directory = tmp_path_factory.mktemp("sample")
    return request.param, directory, write_sample(directory, scale=request.param)


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))[1:]


def delivered(directory: Path, source: str) -> dict[str, list[Row]]:
    return {path.name: rows_of(path) for path in sorted((directory / "deliveries" / source).iterdir())}


def purchase_is_good(row: Row) -> bool:
    try:
        _, _, quantity, unit_price, purchased_at = row
        datetime.fromisoformat(purchased_at)
        return int(quantity) != 0 and Decimal(unit_price) >= 0
    except (ValueError, InvalidOperation):
        return False


def review_is_good(row: Row) -> bool:
    return len(row) == 5 and row[0] != "" and row[3] in {"", "1", "2", "3", "4", "5"}


def good_purchases(directory: Path) -> list[Row]:
    return [
        row
        for rows in delivered(directory, "user_purchase").values()
        for row in rows
        if purchase_is_good(row)
    ]


def good_reviews(directory: Path) -> list[Row]:
    return [
        row for rows in delivered(directory, "movie_review").values() for row in rows if review_is_good(row)
    ]


def latest_reviews(directory: Path) -> dict[str, Row]:
    return {row[0]: row for row in sorted(good_reviews(directory), key=lambda row: row[4])}


def every_file(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def test_sizes_are_those_of_the_scale(written: Written) -> None:
    scale, _, sample = written
    assert (sample.purchases, sample.reviews, sample.rentals) == (3000 * scale, 600 * scale, 3000 * scale)
    assert sample.corrected_reviews == 6 * scale
    assert sample.broken_purchase_lines == 5 + 3 * scale
    assert len(sample.files) == 62


def test_files_are_named_and_counted(written: Written) -> None:
    _, directory, sample = written
    found = {
        f"deliveries/{source}/{name}": len(rows)
        for source in ("user_purchase", "movie_review")
        for name, rows in delivered(directory, source).items()
    }
    assert found == sample.files
    assert set(every_file(directory)) == {*sample.files, "shop.db"}


def test_same_arguments_give_the_same_bytes(tmp_path: Path, written: Written) -> None:
    scale, directory, sample = written
    again = write_sample(tmp_path, scale=scale)
    assert again == sample
    assert every_file(tmp_path) == every_file(directory)
    assert write_sample(tmp_path, scale=scale) == sample, "writing over an earlier sample"
    assert every_file(tmp_path) == every_file(directory)


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    one, other = write_sample(tmp_path / "0"), write_sample(tmp_path / "1", seed=1)
    assert (one.purchases, one.reviews) == (other.purchases, other.reviews)
    assert one.amount != other.amount


def test_another_start_moves_the_days(tmp_path: Path) -> None:
    sample = write_sample(tmp_path, start=date(2024, 2, 10))
    assert "deliveries/user_purchase/purchases-2024-02-29.csv" in sample.files
    assert {row[4][:10] for row in good_purchases(tmp_path)} >= {"2024-02-10", "2024-03-10"}


@pytest.mark.parametrize(("scale", "seed"), [(0, 0), (-1, 0), (1, -1)])
def test_nothing_is_written_for_a_wrong_argument(tmp_path: Path, scale: int, seed: int) -> None:
    with pytest.raises(ValueError, match="Nothing was written"):
        write_sample(tmp_path, scale=scale, seed=seed)
    assert list(tmp_path.iterdir()) == []


def test_purchases_are_as_described(written: Written) -> None:
    _, directory, sample = written
    good = good_purchases(directory)
    known = [row for row in good if row[1]]
    assert len(good) == sample.purchases
    assert len(good) - len(known) == sample.purchases_without_customer
    assert sum(int(row[2]) * Decimal(row[3]) for row in good) == sample.amount
    assert sum(int(row[2]) * Decimal(row[3]) for row in known) == sample.amount_with_customer
    assert len({tuple(row) for row in good}) == len(good), "no two rows are equal"


def test_purchases_look_like_a_feed(written: Written) -> None:
    _, directory, _ = written
    good = good_purchases(directory)
    assert all(row[1] == "" or (row[1].endswith(".0") and row[1][:-2].isdigit()) for row in good)
    assert 0.07 < sum(row[1] == "" for row in good) / len(good) < 0.13
    returned = [row for row in good if int(row[2]) < 0]
    assert 0.015 < len(returned) / len(good) < 0.05
    assert all(row[0].startswith("C") == (int(row[2]) < 0) for row in good)
    assert set(Counter(row[0] for row in good).values()) == {1, 2, 3, 4}
    assert {row[4][11:13] for row in good} == {f"{hour:02}" for hour in range(24)}


def test_purchases_of_a_file_are_of_its_day_and_in_time_order(written: Written) -> None:
    _, directory, _ = written
    for name, rows in delivered(directory, "user_purchase").items():
        at = [row[4] for row in rows if purchase_is_good(row)]
        day = "2026-01-12" if "late" in name else name[10:20]
        assert at == sorted(at)
        assert {each[:10] for each in at} == {day}


def test_late_purchases_come_once(written: Written) -> None:
    _, directory, sample = written
    files = delivered(directory, "user_purchase")
    late, in_time = files["purchases-late-2026-01-20.csv"], files["purchases-2026-01-12.csv"]
    assert len(late) == sample.late_purchases > 0
    assert {row[0] for row in late}.isdisjoint(row[0] for row in in_time)


def test_broken_purchases_are_of_every_kind(written: Written) -> None:
    _, directory, sample = written
    rows = [row for rows in delivered(directory, "user_purchase").values() for row in rows]
    broken = [row for row in rows if not purchase_is_good(row)]
    assert len(broken) == sample.broken_purchase_lines
    kinds = {
        "column too many": [row for row in broken if row[-1] == "unexpected"],
        "word": [row for row in broken if row[2] == "three"],
        "comma": [row for row in broken if row[3:5] == ["12", "50"] and len(row) == 6],
        "month": [row for row in broken if row[4] == "2026-13-01 10:00:00"],
        "currency": [row for row in broken if row[3].endswith(" GBP")],
    }
    assert all(kinds.values())
    assert sum(map(len, kinds.values())) == len(broken)


def test_reviews_are_as_described(written: Written) -> None:
    _, directory, sample = written
    good, latest = good_reviews(directory), latest_reviews(directory)
    assert len(latest) == sample.reviews
    assert sum(row[3] != "" for row in latest.values()) == sample.rated_reviews
    assert len(good) == sample.reviews + sample.corrected_reviews + sample.repeated_reviews
    assert len({tuple(row) for row in good}) == sample.reviews + sample.corrected_reviews


def test_one_day_of_reviews_is_delivered_again(written: Written) -> None:
    _, directory, sample = written
    files = delivered(directory, "movie_review")
    again = files["reviews-2026-01-09-resent.csv"]
    assert again == files["reviews-2026-01-09.csv"]
    assert len(again) == sample.repeated_reviews


def test_corrections_change_the_rating_later(written: Written) -> None:
    _, directory, sample = written
    versions: dict[str, list[Row]] = {}
    for row in sorted({tuple(row) for row in good_reviews(directory)}, key=lambda row: row[4]):
        versions.setdefault(row[0], []).append(list(row))
    corrected = [rows for rows in versions.values() if len(rows) > 1]
    assert len(corrected) == sample.corrected_reviews
    for first, second in corrected:
        assert first[:3] == second[:3]
        assert first[3] and second[3] and first[3] != second[3]
        assert first[4][:10] < second[4][:10]


def test_broken_reviews_are_of_every_kind(written: Written) -> None:
    _, directory, sample = written
    files = delivered(directory, "movie_review")
    broken = [row for rows in files.values() for row in rows if not review_is_good(row)]
    assert len(broken) == sample.broken_review_lines == 3
    assert [row[3] for row in broken if len(row) == 5 and row[0]] == ["99"]
    assert sum(row[0] == "" for row in broken) == 1
    (truncated,) = (name for name, rows in files.items() if len(rows[-1]) < 5)
    text = (directory / "deliveries/movie_review" / truncated).read_text(encoding="utf-8")
    assert text.count('"') % 2 == 1
    assert not text.endswith("\n")


def test_texts_have_what_breaks_naive_readers(written: Written) -> None:
    _, directory, _ = written
    texts = [row[2] for row in good_reviews(directory)]
    for sign in ('"', ",", "\n", "<br />", "é", "’"):
        assert 0 < sum(sign in text for text in texts) < len(texts)
    words = [len(text.replace("<br />", " ").split()) for text in texts]
    assert min(words) >= 15
    assert max(words) <= 60


def test_about_a_fifth_of_the_reviews_is_unrated(written: Written) -> None:
    _, _, sample = written
    assert 0.15 < 1 - sample.rated_reviews / sample.reviews < 0.25


def test_some_customers_only_buy_and_some_only_review(written: Written) -> None:
    scale, directory, _ = written
    buyers = Counter(row[1].removesuffix(".0") for row in good_purchases(directory) if row[1])
    reviewers = Counter(row[1] for row in good_reviews(directory))
    assert min(len(buyers - reviewers), len(reviewers.keys() - buyers.keys())) > 10 * scale
    assert len(buyers.keys() & reviewers.keys()) > 50 * scale
    busiest = sorted(buyers.values(), reverse=True)
    assert sum(busiest[: len(busiest) // 5]) > 0.35 * sum(busiest)


def test_texts_show_the_rating_but_not_always(tmp_path: Path) -> None:
    write_sample(tmp_path, scale=2)
    rated = [row for row in latest_reviews(tmp_path).values() if row[3]]
    texts, sentiments = [row[2] for row in rated], [(int(row[3]) > 2) + (int(row[3]) > 3) for row in rated]
    held_out = len(rated) // 4
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=5, max_iter=1000))
    model.fit(texts[held_out:], sentiments[held_out:])
    assert 0.75 < model.score(texts[:held_out], sentiments[:held_out]) < 0.97


def test_shop_is_as_described(written: Written) -> None:
    _, directory, sample = written
    with closing(sqlite3.connect(directory / "shop.db")) as shop:
        sizes = {
            table: shop.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("category", "film_category", "inventory", "rental", "payment")
        }
        amounts = [Decimal(amount) for (amount,) in shop.execute("select amount from payment")]
        per_rental = shop.execute(
            "select n, count(*) from (select count(payment_id) as n from rental left join payment "
            "using (rental_id) group by rental_id) group by n"
        ).fetchall()
        adrift = shop.execute(
            "select count(*) from payment left join rental using (rental_id, customer_id) "
            "left join inventory using (inventory_id) left join film_category using (film_id) "
            "left join category using (category_id) where name is null or paid_at < rented_at"
        ).fetchone()[0]
    assert sizes == {
        "category": 16,
        "film_category": 200,
        "inventory": 1000,
        "rental": sample.rentals,
        "payment": sample.payments,
    }
    assert sum(amounts) == sample.paid
    assert {amount.as_tuple().exponent for amount in amounts} == {-2}
    assert dict(per_rental).keys() == {0, 1, 2, 3}
    assert dict(per_rental)[1] > 0.85 * sample.rentals
    assert adrift == 0


def test_customers_return_to_a_genre(written: Written) -> None:
    _, directory, _ = written
    with closing(sqlite3.connect(directory / "shop.db")) as shop:
        rented = shop.execute(
            "select customer_id, category_id, count(*) from rental join inventory using (inventory_id) "
            "join film_category using (film_id) group by 1, 2"
        ).fetchall()
    most: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for customer, _, n in rented:
        most[customer] = max(most[customer], n)
        total[customer] += n
    often = [customer for customer in total if total[customer] >= 10]
    assert sum(most[each] for each in often) > 0.4 * sum(total[each] for each in often)
