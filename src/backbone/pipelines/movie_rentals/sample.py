"""Sample data of a movie rental shop: seeded, of any scale, and as dirty as real feeds are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from pyarrow import csv

from backbone.pipelines.movie_rentals.sample_customers import (
    Customers,
    Floats,
    Ints,
    draw,
    draw_customers,
    instants,
    seconds,
)
from backbone.pipelines.movie_rentals.sample_shop import write_shop
from backbone.pipelines.movie_rentals.sample_texts import texts
from backbone.pipelines.samples import changed, refuse_nonsense

PURCHASES = Path("deliveries/user_purchase")
REVIEWS = Path("deliveries/movie_review")

DAYS = 30
PURCHASES_A_DAY = 100
REVIEWS_A_DAY = 20
CORRECTED_REVIEWS = 6

# Which day (1 is the first) has which dirt.
LATE_DAY, LATE_DELIVERED_ON_DAY = 12, 20
RESENT_DAY = 9
NINE_STARS_DAY, TRUNCATED_DAY, NO_REVIEW_ID_DAY = 5, 17, 23

PRICES_CENTS: Ints = np.array([49, 99, 149, 199, 249, 299, 349, 399, 499, 599, 799, 999, 1299, 1499, 1999])
PRICES = pa.array([f"{cents / 100:.2f}" for cents in PRICES_CENTS.tolist()])
QUANTITIES: Ints = np.array([1, 2, 3, 4, 6, 12])
# Running chances of one to five stars.
STARS: Floats = np.cumsum([0.14, 0.16, 0.20, 0.26, 0.24])

# How a good purchase line is broken: the column, and what is written in place of its value.
BROKEN_PURCHASES = (
    (4, "{},unexpected"),
    (2, "three"),
    (3, "12,50"),
    (4, "{:.4}-13-01 10:00:00"),
    (3, "{} GBP"),
)


@dataclass(frozen=True)
class Sample:
    """What is true of a written sample, for tests and the demo to be held to.

    A row is good when nothing is wrong with it. Broken rows come on top of the good ones and are in no
    number but their own and that of `files`.

    Attributes
    ----------
    purchases : good purchase rows, the late ones included; 3,000 × scale.
    purchases_without_customer : those of them with no customer_id.
    late_purchases : those of them that come in the late file, and only there.
    amount : exact sum of quantity × unit_price over the good rows; returns count against it.
    amount_with_customer : the same over the good rows with a customer_id.
    reviews : distinct review_id among the good rows; 600 × scale. A repeated or a corrected review is one.
    rated_reviews : those of them with a rating. A correction has a rating and replaces one.
    repeated_reviews : rows of the file that was delivered again; each equals, in every column, a row of
        the first delivery of that day.
    corrected_reviews : rows with the review_id and the text of an earlier row, another rating and a
        later reviewed_at, in the file of the later day; 6 × scale, none is corrected twice. The rows of
        `reviews` files that are good are `reviews + corrected_reviews + repeated_reviews`.
    broken_purchase_lines : lines with a column too many, a word as quantity, a price with a comma (and
        so a column too many), a thirteenth month or a price with its currency; 5 + 3 × scale. Each is
        one more line of a good invoice, right after one of its good lines.
    broken_review_lines : 3: a rating of 99, a missing review_id, and a line with a quote that does not
        end. The last is the end of its file, as after a cut connection, and takes no good row with it.
    rentals : rows of `rental` in shop.db; 3,000 × scale.
    payments : rows of `payment` in shop.db.
    paid : exact sum of payment.amount.
    files : for each delivered CSV file, by its path under the directory, its rows: good, repeated,
        corrected and broken ones, without the header.
    """

    purchases: int
    purchases_without_customer: int
    late_purchases: int
    amount: Decimal
    amount_with_customer: Decimal
    reviews: int
    rated_reviews: int
    repeated_reviews: int
    corrected_reviews: int
    broken_purchase_lines: int
    broken_review_lines: int
    rentals: int
    payments: int
    paid: Decimal
    files: dict[str, int]


def write_sample(directory: Path, scale: int = 1, seed: int = 0, start: date = date(2026, 1, 1)) -> Sample:
    """Write thirty days of purchases, reviews and rentals, and say what is in them.

    The same scale, seed and start give the same bytes. A file of the same name is replaced, any other is
    left alone. Memory stays at about one day's rows.

    Parameters
    ----------
    directory : made when missing. Gets `deliveries/user_purchase/*.csv`, `deliveries/movie_review/*.csv`
        (UTF-8, one file a day, one late, one delivered again) and `shop.db` (SQLite).
    scale : how many times 3,000 purchases, 600 reviews and 3,000 rentals; >= 1. The number of files, films
        and inventory rows does not grow, nor does what one customer does.
    seed : >= 0.
    start : the first of the thirty days. All instants are UTC.

    Raises
    ------
    ValueError
        When scale < 1 or seed < 0; nothing is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as directory:
    ...     sample = write_sample(Path(directory))
    >>> sample.purchases, sample.reviews, sample.rentals, len(sample.files)
    (3000, 600, 3000, 62)
    """
    refuse_nonsense(scale, seed)
    customers = draw_customers(Generator(PCG64([seed, 0])), scale)
    tally: Counter[str] = Counter()
    files: dict[str, int] = {}
    days = [start + timedelta(days=day) for day in range(DAYS)]
    for folder in (PURCHASES, REVIEWS):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    _write_purchases(Generator(PCG64([seed, 1])), directory, scale, days, customers, tally, files)
    _write_reviews(Generator(PCG64([seed, 2])), directory, scale, days, customers, tally, files)
    write_shop(Generator(PCG64([seed, 3])), directory / "shop.db", scale, days, customers, tally)
    return Sample(
        purchases=tally["purchases"],
        purchases_without_customer=tally["purchases_without_customer"],
        late_purchases=tally["late_purchases"],
        amount=_money(tally["amount_cents"]),
        amount_with_customer=_money(tally["amount_with_customer_cents"]),
        reviews=tally["reviews"],
        rated_reviews=tally["rated_reviews"],
        repeated_reviews=tally["repeated_reviews"],
        corrected_reviews=tally["corrected_reviews"],
        broken_purchase_lines=tally["broken_purchase_lines"],
        broken_review_lines=tally["broken_review_lines"],
        rentals=tally["rentals"],
        payments=tally["payments"],
        paid=_money(tally["paid_cents"]),
        files=files,
    )


def _money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _csv(table: pa.Table, quoting: str) -> bytes:
    text = BytesIO()
    text.write(",".join(table.column_names).encode() + b"\n")
    csv.write_csv(table, text, csv.WriteOptions(include_header=False, quoting_style=quoting))
    return text.getvalue()


def _write_purchases(
    rng: Generator,
    directory: Path,
    scale: int,
    days: list[date],
    customers: Customers,
    tally: Counter[str],
    files: dict[str, int],
) -> None:
    broken = 5 + 3 * scale
    broken_on = rng.integers(1, DAYS + 1, broken)
    broken_how = np.arange(broken) % len(BROKEN_PURCHASES)
    invoice = 536365
    for day, on in enumerate(days, 1):
        rows, next_invoice = _purchases_of(rng, on, PURCHASES_A_DAY * scale, customers, invoice, tally)
        if day == LATE_DAY:
            late = _late(rows)
            name = PURCHASES / f"purchases-late-{days[LATE_DELIVERED_ON_DAY - 1]}.csv"
            (directory / name).write_bytes(_csv(rows.filter(late), "none"))
            files[name.as_posix()] = tally["late_purchases"] = pc.sum(late).as_py()
            rows = rows.filter(pc.invert(late))
        text = _csv(rows, "none")
        how = broken_how[broken_on == day]
        name = PURCHASES / f"purchases-{on}.csv"
        (directory / name).write_bytes(_with_broken_lines(rng, text, how.tolist()))
        files[name.as_posix()] = rows.num_rows + len(how)
        invoice = next_invoice
    tally["broken_purchase_lines"] = broken


def _purchases_of(
    rng: Generator, on: date, n: int, customers: Customers, first_invoice: int, tally: Counter[str]
) -> tuple[pa.Table, int]:
    """Draw the n good rows of one day, and the first invoice number of the next.

    The one to four lines of an invoice differ in unit_price, so no two rows are equal.
    """
    sizes = rng.integers(1, 5, n)
    invoice = np.repeat(np.arange(n), sizes)[:n]
    line = np.arange(n) - (np.cumsum(sizes) - sizes)[invoice]
    invoices = int(invoice[-1]) + 1

    returned = rng.random(invoices) < 0.03
    unknown = rng.random(invoices) < 0.10
    customer = customers.buyers[draw(rng, customers.buying, invoices)]
    at = instants(on, np.sort(seconds(rng, invoices)))
    number = pc.cast(pa.array(first_invoice + np.arange(invoices)), pa.string())
    invoice_id = pc.binary_join_element_wise(pc.if_else(returned, "C", ""), number, "")
    customer_id = pc.binary_join_element_wise(
        pc.cast(pa.array(customer, mask=unknown), pa.string()), pa.scalar(".0"), ""
    )

    quantity = QUANTITIES[draw(rng, np.cumsum([50, 22, 10, 6, 8, 4.0]), n)]
    quantity = np.where(returned[invoice], -quantity, quantity)
    price = (rng.integers(0, len(PRICES_CENTS), invoices)[invoice] + 4 * line) % len(PRICES_CENTS)
    cents = quantity * PRICES_CENTS[price]
    known = ~unknown[invoice]
    tally["purchases"] += n
    tally["purchases_without_customer"] += int((~known).sum())
    tally["amount_cents"] += int(cents.sum())
    tally["amount_with_customer_cents"] += int(cents[known].sum())
    rows = pa.table(
        {
            "invoice_id": invoice_id.take(pa.array(invoice)),
            "customer_id": customer_id.take(pa.array(invoice)),
            "quantity": quantity,
            "unit_price": PRICES.take(pa.array(price)),
            "purchased_at": at[invoice],
        }
    )
    return rows, first_invoice + invoices


def _late(rows: pa.Table) -> pa.ChunkedArray:
    """Mark every invoice whose number ends in 0 or 5: about a fifth."""
    return pc.match_substring_regex(rows["invoice_id"], "[05]$")


def _with_broken_lines(rng: Generator, text: bytes, how: Sequence[int]) -> bytes:
    if not how:
        return text
    lines = text.decode().split("\n")
    rows = len(lines) - 2  # without the header, and what follows the last newline
    places = np.sort(rng.choice(rows, len(how), replace=False))[::-1] + 1
    for place, kind in zip(places.tolist(), how, strict=True):
        column, value = BROKEN_PURCHASES[kind]
        fields = lines[place].split(",")
        fields[column] = value.format(fields[column])
        lines.insert(place + 1, ",".join(fields))
    return "\n".join(lines).encode()


def _write_reviews(
    rng: Generator,
    directory: Path,
    scale: int,
    days: list[date],
    customers: Customers,
    tally: Counter[str],
    files: dict[str, int],
) -> None:
    n = REVIEWS_A_DAY * scale
    corrected = np.zeros(n * DAYS, dtype=bool)
    corrected[rng.choice(n * (DAYS - 5), CORRECTED_REVIEWS * scale, replace=False)] = True
    corrections: dict[int, list[pa.Table]] = {day: [] for day in range(1, DAYS + 1)}
    for day, on in enumerate(days, 1):
        first = (day - 1) * n
        rows, spare = _reviews_of(rng, on, corrected[first : first + n], first + 100001, customers)
        tally["reviews"] += rows.num_rows
        tally["rated_reviews"] += rows.num_rows - rows["rating"].null_count
        wrong = rows.filter(pa.array(corrected[first : first + n]))
        for later, some in _corrections_of(rng, wrong, day, days[0]):
            corrections[later].append(some)
            tally["corrected_reviews"] += some.num_rows

        end = b""
        rows = pa.concat_tables([rows, *corrections.pop(day)])
        if day == NINE_STARS_DAY:
            rows = pa.concat_tables([rows, changed(spare, rating=99, review_id=100001 + n * DAYS)])
        elif day == NO_REVIEW_ID_DAY:
            rows = pa.concat_tables([rows, changed(spare, rating=4, review_id=None)])
        elif day == TRUNCATED_DAY:
            (row,) = spare.to_pylist()
            end = f'{100001 + n * DAYS + 1},{row["customer_id"]},"The film I rented was'.encode()
        tally["broken_review_lines"] += day in (NINE_STARS_DAY, NO_REVIEW_ID_DAY, TRUNCATED_DAY)

        text = _csv(rows.sort_by([("reviewed_at", "ascending"), ("review_id", "ascending")]), "needed") + end
        again = ("", "-resent") if day == RESENT_DAY else ("",)
        for suffix in again:
            name = REVIEWS / f"reviews-{on}{suffix}.csv"
            (directory / name).write_bytes(text)
            files[name.as_posix()] = rows.num_rows + bool(end)
        if day == RESENT_DAY:
            tally["repeated_reviews"] = rows.num_rows


def _reviews_of(
    rng: Generator, on: date, corrected: NDArray[np.bool_], first_id: int, customers: Customers
) -> tuple[pa.Table, pa.Table]:
    """Draw the good reviews of one day, and one more to break."""
    n = len(corrected)
    stars = draw(rng, STARS, n + 1) + 1
    unrated = rng.random(n + 1) < 0.20
    unrated[:n] &= ~corrected
    rows = pa.table(
        {
            "review_id": first_id + np.arange(n + 1),
            "customer_id": customers.reviewers[draw(rng, customers.reviewing, n + 1)],
            "review_text": texts(rng, stars),
            "rating": pa.array(stars, mask=unrated),
            "reviewed_at": instants(on, np.sort(seconds(rng, n + 1))),
        }
    )
    return rows.slice(0, n), rows.slice(n)


def _corrections_of(rng: Generator, rows: pa.Table, day: int, start: date) -> list[tuple[int, pa.Table]]:
    """Correct each of the rows one to five days later, by a star up or down; (day, rows) of each day."""
    if not rows.num_rows:
        return []
    n = rows.num_rows
    later = day + rng.integers(1, 6, n)
    stars = rows["rating"].to_numpy()
    change = np.where(stars == 5, -1, np.where(stars == 1, 1, rng.choice([-1, 1], n)))
    at = instants(start, (later - 1) * 86400 + seconds(rng, n))
    rows = changed(rows, rating=stars + change, reviewed_at=at)
    return [(int(each), rows.filter(pa.array(later == each))) for each in np.unique(later)]
