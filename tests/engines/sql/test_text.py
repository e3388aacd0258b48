"""How a refusal shows its place."""

from __future__ import annotations

import pytest

from backbone.engines.sql.parse import parse_query
from backbone.errors import PipelineError


def test_the_message_shows_the_line_and_a_caret_under_the_word() -> None:
    with pytest.raises(PipelineError) as caught:
        parse_query("select a\nfrom formatted.x\n\tasof join formatted.y on x.t >= y.t", "m.sql")
    lines = str(caught.value).splitlines()
    assert lines[0] == "m.sql, line 3, column 2: `asof join` is not portable SQL"
    assert lines[2:4] == ["    \tasof join formatted.y on x.t >= y.t", "    \t^"]
    assert lines[-1] == "Next: edit m.sql"
