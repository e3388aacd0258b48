"""What is wrong with a line of a CSV file that is no record."""

from __future__ import annotations

from backbone.formatted.csv.grammar import LF, Grammar

NOT_CLOSED = "has a quoted field that is not closed"
AFTER_QUOTE = "has text after a closing quote"
QUOTE_INSIDE = 'has a quote inside an unquoted field (quote = "" takes quotes as text)'


def line_fault(raw: bytes, grammar: Grammar) -> str:
    """What is wrong with a broken line."""
    pattern, fields, position = grammar.pattern, 1, 0
    if len(raw) >= grammar.max_record:
        return f"is longer than {grammar.max_record:,} bytes"
    other = b"\r" if grammar.line_end == LF else b"\n"
    if other not in raw and (grammar.quote is None or grammar.quote.encode() not in raw):
        return _field_count(raw.count(grammar.delimiter.encode()) + 1, grammar)
    while True:
        quoted = pattern.opening.match(raw, position) is not None
        found = (pattern.quoted if quoted else pattern.plain).match(raw, position)
        if found is None:
            return NOT_CLOSED
        position = found.end()
        if position == len(raw):
            return QUOTE_INSIDE if fields == grammar.columns else _field_count(fields, grammar)
        if raw[position] != ord(grammar.delimiter):
            if quoted:
                return AFTER_QUOTE
            return f"has a {'carriage return' if grammar.line_end == LF else 'line feed'} outside quotes"
        position += 1
        fields += 1


def _field_count(fields: int, grammar: Grammar) -> str:
    return f"has {fields} field{'' if fields == 1 else 's'}, expected {grammar.columns}"
