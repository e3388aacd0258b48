"""What the shop's database and the review vendor deliver."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from backbone import Contract, Key

Price = Annotated[
    Decimal,
    Field(
        max_digits=12,
        decimal_places=3,
        description="GBP per unit; negative in a line that corrects the books, such as a bad debt",
    ),
]
Money = Annotated[Decimal, Field(max_digits=18, decimal_places=3, description="GBP")]


class UserPurchase(Contract):
    """A line of the shop's ledger: a purchase, or a return, with a negative quantity."""

    invoice_id: str
    customer_id: int | None
    quantity: int
    unit_price: Price
    purchased_at: datetime


class MovieReview(Contract):
    """A customer's review of a film, as the vendor sends it."""

    review_id: Annotated[str, Key]
    customer_id: int
    review_text: str
    rating: Annotated[int, Field(ge=0, le=10)] | None = None
    reviewed_at: datetime


class Rental(Contract):
    """A film taken out of the shop's inventory by a customer."""

    rental_id: Annotated[int, Key]
    rented_at: datetime
    inventory_id: int
    customer_id: int


class Payment(Contract):
    """A payment for a rental; a rental can have several."""

    payment_id: Annotated[int, Key]
    customer_id: int
    rental_id: int
    amount: Money
    paid_at: datetime


class Inventory(Contract):
    """A copy of a film that the shop owns."""

    inventory_id: Annotated[int, Key]
    film_id: int


class FilmCategory(Contract):
    """The one category of a film."""

    film_id: Annotated[int, Key]
    category_id: int


class Category(Contract):
    """A category of films, such as Sports."""

    category_id: Annotated[int, Key]
    name: str


class ClassifiedReview(Contract):
    """A review with the sentiment that the classifier reads in its text."""

    review_id: str
    customer_id: int
    reviewed_at: datetime
    rating: int | None
    sentiment: Literal["negative", "neutral", "positive"]
    probability: Annotated[float, Field(ge=0, le=1)]
    model_id: str


class ReviewModel(Contract):
    """The classifier in force, what it was trained on, and how well it did on reviews held out."""

    model_id: str
    status: str
    n_trained: int
    n_held_out: int
    n_negative: int
    n_neutral: int
    n_positive: int
    negative_max: float
    positive_min: float
    accuracy: float | None
    macro_f1: float | None
    review_version: int
    sklearn_version: str
    model: bytes


class ReviewModelReport(Contract):
    """The classification report on the reviews held out: a row per class and per average."""

    model_id: str
    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
