"""Names and texts as SQL writes them: nothing else ever puts one into a statement."""

from __future__ import annotations


def quote_identifier(name: str) -> str:
    """A name as an SQL identifier.

    Examples
    --------
    >>> print(quote_identifier('a"b'))
    "a""b"
    """
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A text as an SQL string literal.

    Examples
    --------
    >>> print(quote_literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"
