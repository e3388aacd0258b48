"""Where in a contract something stands, for messages."""

from __future__ import annotations

from typing import NamedTuple

from backbone.errors import ContractError


class FieldPlace(NamedTuple):
    """A field of a contract."""

    contract: str
    field: str

    def error(self, problem: str, next_step: str) -> ContractError:
        return ContractError(f"{self.contract}.{self.field}", problem, next_step=next_step)
