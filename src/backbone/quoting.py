"""Names and texts as SQL writes them, which nothing else ever puts into a statement; and as TOML does."""

from __future__ import annotations

import unicodedata


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


def quote_toml(text: str) -> str:
    r"""A text as a TOML string to be copied: signs that can't be seen, or are lost by copying, are escaped.

    Examples
    --------
    >>> print(quote_toml('Größe "cm"'), quote_toml("a\tb\ufeff\u00a0"), quote_toml("e\u0301"))
    "Größe \"cm\"" "a\tb\uFEFF\u00A0" "e\u0301"
    """
    special = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
    return '"' + "".join(special.get(sign) or _escaped(sign) for sign in text) + '"'


def _escaped(sign: str) -> str:
    if sign.isprintable() and unicodedata.is_normalized("NFKC", sign) and not unicodedata.combining(sign):
        return sign
    return f"\\u{ord(sign):04X}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08X}"
