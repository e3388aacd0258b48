"""What the shop's marketing system delivers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backbone import Contract, Key

Asks = Annotated[int, Field(ge=0, description="how many times the offer is sent to the user")]
Days = Annotated[int, Field(ge=0, description="days between one sending and the next")]
Bought = Annotated[Literal[0, 1], Field(description="1 if the user bought in the end, 0 if not")]


class Offer(Contract):
    """An offer that was made to a user by e-mail, and what came of it."""

    offerid: Annotated[int, Key, Field(description="a number of its own for every offer")]
    userid: Annotated[int, Field(description="whom the offer was made to")]
    asktimes: Asks
    askbackoffdays: Days
    bought_offer: Bought


class CandidateOffer(Contract):
    """A way to make the next offer, to be judged for every user."""

    asktimes: Annotated[Asks, Key]
    askbackoffdays: Annotated[Days, Key]
