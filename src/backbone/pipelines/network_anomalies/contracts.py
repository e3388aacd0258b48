"""What is delivered: who did something, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from backbone import Contract


class UserActivity(Contract):
    """One event of a user: a flow, a login, a commit."""

    user_name: Annotated[str, Field(min_length=1, description="who, named as in the log")]
    started_at: Annotated[datetime, Field(description="when it began")]
