"""What a grammar refuses."""

from __future__ import annotations

import pytest

from backbone.errors import SettingsError
from backbone.formatted.csv.grammar import Grammar


def test_a_grammar_that_cannot_be_meant() -> None:
    for wrong in ({"delimiter": ""}, {"delimiter": "\n"}, {"delimiter": '"'}, {"quote": "“"}, {"columns": 0}):
        with pytest.raises(SettingsError):
            Grammar(**wrong)
