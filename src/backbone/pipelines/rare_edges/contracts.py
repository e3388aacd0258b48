"""What is delivered: who connected to what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from backbone import Contract

# No log tells of more in a row. Nine thousand such rows of an edge in an hour still add up to less than
# 2**53, up to which the detector counts exactly: a wrong number is held back alone, and stops no table.
MOST = 10**12


class Connection(Contract):
    """One or several connections from a source to a destination, named as they are in the log."""

    started_at: Annotated[datetime, Field(description="when the connection began")]
    source: Annotated[str, Field(min_length=1, description="who connected")]
    destination: Annotated[str, Field(min_length=1, description="to what")]
    connections: (
        Annotated[
            int, Field(ge=1, le=MOST, description="how many connections the row stands for; 1 by default")
        ]
        | None
    ) = None
