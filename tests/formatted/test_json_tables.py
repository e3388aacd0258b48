"""JSON files on their way into a table: values by their contract, accounts, quarantine, refusals."""

from __future__ import annotations

import json
from decimal import Decimal

from conftest import Trial

CONTRACT = """
    class Sale(Contract):
        'Something sold.'
        sale_id: int
        item: str | None = None
        price: Decimal = Field(max_digits=12, decimal_places=2, ge=0)
        paid: bool | None = None
    """


def trial_of(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(CONTRACT)


def test_the_top_field_is_taken_as_it_is_written(trial: Trial) -> None:
    items = [
        "1.10",
        "1e3",
        "-0",
        "12345678901234567890",
        '{"item": 1.0}',
        "[1,  2]",
        "true",
        '"01"',
        '"null"',
        '""',
    ]
    lines = [
        f'{{"a": {{"item": "x"}}, "sale_id": {number}, "item": {item}, "price": 1.50, "b": [{{"item": 2}}]}}'
        for number, item in enumerate(items)
    ]
    trial_of(trial).drop("\n".join(lines), "a.jsonl")
    trial.drop("[" + ",\n".join(lines).replace('"sale_id": ', '"sale_id": 10') + "]", "b.json")
    trial.run_well()
    expected = [json.loads(item) if item.startswith('"') else item for item in items]
    assert trial.formatted("item", "sale_id") == expected * 2
    assert set(trial.formatted("price")) == {Decimal("1.50")}


def test_null_and_an_absent_field_are_null(trial: Trial) -> None:
    trial_of(trial).drop(
        '{"sale_id": 1, "price": 1}\n{"sale_id": 2, "item": null, "price": 1, "paid": null}\n'
        '{"sale_id": 3, "price": null}\n{"price": 1}\n',
        "a.jsonl",
    )
    trial.run_well()
    assert trial.formatted("sale_id, item, paid") == [(1, None, None), (2, None, None)]
    assert [reasons for *_, reasons in trial.quarantined()] == [
        ["price: null is not allowed"],
        ["sale_id: null is not allowed"],
    ]


def test_numbers_have_a_decimal_point_whatever_the_notation_of_texts(trial: Trial) -> None:
    trial_of(trial).settings('decimal_separator = ","\nthousands_separator = "."')
    trial.drop(
        '{"sale_id": 1, "price": 1.25}\n{"sale_id": 2, "price": "1.234,50"}\n'
        '{"sale_id": 3, "price": 1.234}\n',
        "a.jsonl",
    )
    trial.run_well()
    assert trial.formatted("sale_id, price") == [(1, Decimal("1.25")), (2, Decimal("1234.50"))]
    ((line, _, reasons),) = trial.quarantined()
    assert (line, len(reasons)) == (3, 1)


def test_names_that_differ_in_case_are_two_fields(trial: Trial) -> None:
    trial.event_time = None
    trial.contract("class Odd(Contract):\n    'Two fields.'\n    small: int\n    large: int\n")
    trial.settings('columns = { small = "id", large = "ID" }')
    trial.drop('{"ID": 1, "id": 2}\n{"id": 3, "ID": 4, "Id": 5}\n', "a.jsonl")
    trial.run_well()
    assert trial.formatted("small, large") == [(2, 1), (3, 4)]


def test_bad_records_of_an_array_are_quarantined_with_line_and_text(trial: Trial) -> None:
    broken = '{\n    "sale_id": 2, "price": NaN\n  }'
    negative = '{"sale_id": 4, "price": -1,\n "item": "é"}'
    trial_of(trial).drop(
        f'[\n  {{"sale_id": 1, "price": 1}},\n  {broken},\n  {{"sale_id": 3, "price": 3}}, {negative}\n]\n',
        "a.json",
    )
    trial.run_well()
    assert trial.formatted() == [1, 3]
    assert trial.quarantined() == [
        (3, broken, ["the element is not valid JSON: a value is no JSON number, true, false or null"]),
        (6, negative, ["price: -1 breaks price >= 0"]),
    ]
    assert trial.accounted() == (4, 2, 2, 0)
    assert trial.rows("select _row from quarantine.sale order by 1") == [(1,), (3,)]


def test_a_problem_counts_where_every_field_may_be_null(trial: Trial) -> None:
    trial.event_time = None
    trial.contract("class Odd(Contract):\n    'Anything.'\n    a: str | None = None\n")
    trial.drop('{"a": "x"}\nnot json\n{}\n{"a": 1, "a": 2}\n', "a.jsonl")
    trial.run_well()
    assert trial.formatted("a", "_row") == ["x", None]
    assert [(line, raw, reasons) for line, raw, reasons in trial.quarantined()] == [
        (2, "not json", ["the line is not a JSON object"]),
        (4, '{"a": 1, "a": 2}', ["the key 'a' comes twice"]),
    ]


def test_one_object_over_lines_is_one_record(trial: Trial) -> None:
    trial_of(trial).drop('{\n  "sale_id": 1,\n  "price": 1\n}\n', "a.json")
    trial.run_well()
    assert trial.formatted() == [1]
    assert trial.accounted() == (1, 1, 0, 0)


def test_an_escaped_nul_is_a_character(trial: Trial) -> None:
    trial_of(trial).drop('{"sale_id": 1, "price": 1, "item": "a\\u0000b"}\n', "a.jsonl")
    trial.run_well()
    assert trial.formatted("item") == ["a\0b"]


def test_a_file_in_another_encoding_is_refused_with_the_place(trial: Trial) -> None:
    good = '{"sale_id": 1, "price": 1, "item": "x"}\n'
    trial_of(trial).drop((good * 3 + good.replace("x", "gâteau") + good).encode("windows-1252"), "a.jsonl")
    trial.drop(good, "b.jsonl")
    ended = trial.command("run")
    assert ended.status == 1
    assert "the byte 0xE2 in line 4" in ended.errors
    assert 'encoding = "windows-1252"' in ended.errors
    assert trial.formatted() == [1]
    trial.settings('encoding = "windows-1252"')
    trial.run_well()
    assert trial.formatted("item", "_batch, _row").count("gâteau") == 1
    assert trial.accounted() == (6, 6, 0, 0)


def test_fields_that_no_contract_wants_are_in_the_receipt(trial: Trial) -> None:
    trial_of(trial).drop(
        '{"sale_id": 1, "price": 1, "b": {"c": 1}}\n{"sale_id": 2, "price": 1, "a": 1}\n', "a.jsonl"
    )
    (receipt,) = [r for r in trial.run_well().receipts if r.dataset == "formatted.sale"]
    assert receipt.notes == ("ignored column a", "ignored column b")


def test_many_records_stay_in_order(trial: Trial) -> None:
    count = 300_000
    lines = [f'{{"price": 1, "sale_id": {number}}}' for number in range(count)]
    lines[200_000] = "x"
    trial_of(trial).drop("\n".join(lines), "a.jsonl")
    trial.run_well()
    assert trial.rows("select count(*), count(*) filter (where sale_id <> _row) from formatted.sale") == [
        (count - 1, 0)
    ]
    assert [(line, raw) for line, raw, _ in trial.quarantined()] == [(200_001, "x")]
