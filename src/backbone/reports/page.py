"""A page: text, charts and a table in one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

STYLE = """
body { font: 15px/1.5 sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem; overflow-wrap: anywhere }
table { border-collapse: collapse; margin-top: 1.5rem }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.chart { width: 100%; margin-top: 1.5rem }
"""


def page(
    title: str,
    facts: Sequence[str],
    charts: Sequence[Mapping[str, Any]] = (),
    table: tuple[Sequence[str], Sequence[Sequence[Any]]] | None = None,
) -> str:
    """The text of an HTML file.

    Parameters
    ----------
    facts : paragraphs above the charts.
    charts : specifications in Vega-Lite, their data inside; what draws them goes into the page.
    table : its heading, and its rows.

    Examples
    --------
    >>> print(page("a > b", ["2 & more"]).partition("<body>")[2])
    <BLANKLINE>
    <h1>a &gt; b</h1>
    <p>2 &amp; more</p>
    </body>
    </html>
    <BLANKLINE>
    """
    body = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(fact)}</p>" for fact in facts)]
    if charts:
        body.append(f"<script>{_drawing()}</script>")
    for number, chart in enumerate(charts):
        body.append(f'<div class="chart" id="chart-{number}"></div>')
        options = '{"mode": "vega-lite", "actions": false}'
        body.append(f'<script>vegaEmbed("#chart-{number}", {_script(chart)}, {options});</script>')
    if table is not None:
        body += _table(*table)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _drawing() -> str:
    """Vega-Lite and what embeds it, which is 0.9 MB of JavaScript."""
    import vl_convert

    return vl_convert.javascript_bundle()  # type: ignore[call-arg]  # which the stub takes to be required


def _script(value: Any) -> str:
    """A value as JavaScript that no text in it can end."""
    text = json.dumps(value, default=_instant, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _instant(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON of {type(value).__name__}")


def _table(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    cells = "".join(f"<th>{escape(name)}</th>" for name in heading)
    return [
        f"<table>\n<tr>{cells}</tr>",
        *(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows),
        "</table>",
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, datetime):
        return f"<td>{value:%Y-%m-%d %H:%M}</td>"
    if isinstance(value, int | float):
        shown = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
        return f'<td class="number">{shown}</td>'
    return f"<td>{escape(str(value))}</td>"
