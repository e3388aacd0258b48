"""The sample shop's own database, in SQLite: films, rentals and payments."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator
from numpy.typing import NDArray

from backbone.pipelines.movie_rentals.sample_customers import (
    GENRES,
    Customers,
    Ints,
    draw,
    instants,
    seconds,
)

RENTALS_A_DAY = 100
FILMS = 200
INVENTORY = 1000
RENTAL_CENTS: Ints = np.array([99, 199, 299, 399, 499, 599, 899])
AMOUNTS = [f"{cents / 100:.2f}" for cents in RENTAL_CENTS.tolist()]

SCHEMA = """
create table category (category_id integer primary key, name text not null);
create table film_category (
    film_id integer not null, category_id integer not null, primary key (film_id, category_id)
);
create table inventory (inventory_id integer primary key, film_id integer not null);
create table rental (
    rental_id integer primary key, rented_at text not null,
    inventory_id integer not null, customer_id integer not null
);
create table payment (
    payment_id integer primary key, customer_id integer not null, rental_id integer not null,
    amount text not null, paid_at text not null
);
create index rental_rented_at on rental (rented_at);
create index payment_paid_at on payment (paid_at);
"""


def write_shop(
    rng: Generator, path: Path, scale: int, days: Sequence[date], customers: Customers, tally: Counter[str]
) -> None:
    """Write rentals that follow each customer's favourite genre, and their payments, and count them."""
    genre_of_film = rng.permutation(FILMS) % len(GENRES)
    film_of_copy = rng.permutation(INVENTORY) % FILMS
    copies = np.argsort(genre_of_film[film_of_copy], kind="stable")
    copies_of_genre = np.bincount(genre_of_film[film_of_copy], minlength=len(GENRES))
    first_of_genre = np.cumsum(copies_of_genre) - copies_of_genre

    path.unlink(missing_ok=True)
    path.touch()  # with the rights that the umask leaves; SQLite would give it fewer
    with closing(sqlite3.connect(path)) as shop:
        shop.executescript("pragma journal_mode = off; pragma synchronous = off;" + SCHEMA)
        shop.executemany("insert into category values (?, ?)", list(enumerate(GENRES, 1)))
        _insert(shop, "film_category", np.arange(FILMS) + 1, genre_of_film + 1)
        _insert(shop, "inventory", np.arange(INVENTORY) + 1, film_of_copy + 1)
        n = RENTALS_A_DAY * scale
        for day in days:
            buyer = draw(rng, customers.buying, n)
            loyal = rng.random(n) < customers.loyalty[buyer]
            genre = customers.favourite[buyer]
            within = first_of_genre[genre] + (rng.random(n) * copies_of_genre[genre]).astype(np.int64)
            copy = copies[np.where(loyal, within, rng.integers(0, INVENTORY, n))]
            at = instants(day, np.sort(seconds(rng, n)))
            rental_id = tally["rentals"] + np.arange(n) + 1
            customer_id = customers.buyers[buyer]
            _insert(shop, "rental", rental_id, _texts_of(at), copy + 1, customer_id)

            paid = np.repeat(np.arange(n), draw(rng, np.cumsum([3, 93, 3, 1.0]), n))
            m = len(paid)
            price = rng.integers(0, len(RENTAL_CENTS), m)
            wait = np.where(rng.random(m) < 0.9, rng.integers(0, 300, m), rng.integers(86400, 259200, m))
            paid_at = _texts_of(at[paid] + wait.astype("timedelta64[s]"))
            payment_id = tally["payments"] + np.arange(m) + 1
            amount = [AMOUNTS[i] for i in price.tolist()]
            _insert(shop, "payment", payment_id, customer_id[paid], rental_id[paid], amount, paid_at)
            tally["rentals"] += n
            tally["payments"] += m
            tally["paid_cents"] += int(RENTAL_CENTS[price].sum())
        shop.commit()


def _texts_of(instants: NDArray[np.datetime64]) -> list[str]:
    return pc.strftime(pa.array(instants), "%Y-%m-%d %H:%M:%S").to_pylist()  # type: ignore[no-any-return]


def _insert(shop: sqlite3.Connection, table: str, *columns: Ints | list[str]) -> None:
    lists = [column if isinstance(column, list) else column.tolist() for column in columns]
    marks = ", ".join("?" * len(lists))
    shop.executemany(f"insert into {table} values ({marks})", zip(*lists, strict=True))
