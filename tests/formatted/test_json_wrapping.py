"""A JSON file whose records are not the contract's is refused, and what is around them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone.formatted.json.reader import JsonRecords
from backbone.formatted.json.wrapping import inner_records
from conftest import Trial

OPTIONAL = """
class Person(Contract):
    'Somebody, of whom nothing need be known.'
    id: int | None = None
    name: str | None = None
"""
TWO_PEOPLE = '[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]'


@pytest.fixture
def people(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(OPTIONAL)


def refusal(people: Trial, text: str, name: str = "a.json") -> str:
    """The message of a file that is refused, of which nothing is formatted."""
    people.drop(text, name)
    people.drop('{"id": 7}\n', "good.jsonl")
    ended = people.command("run")
    assert ended.status == 1
    assert people.formatted("id") == [7], "the other file is formatted"
    assert people.accounted() == (1, 1, 0, 0)
    return " ".join(ended.errors.split())


WRAPPINGS = {
    "an array beside other keys": (f'{{"total": 2, "data": {TWO_PEOPLE}}}', "data", ".data"),
    "over several lines": (f'{{\n  "data":\n  {TWO_PEOPLE}\n}}\n', "data", ".data"),
    "in an object": (f'{{"result": {{"items": {TWO_PEOPLE}}}}}', "result.items", ".result.items"),
    "under a name with a blank": (f'{{"the data": {TWO_PEOPLE}}}', "the data", ""),
    "in an array of one object": (f'[{{"data": {TWO_PEOPLE}}}]', "data", ".data"),
    "beside a key of the contract": (f'{{"id": 77, "data": {TWO_PEOPLE}}}', "data", ".data"),
    "the second of two arrays": (
        f'{{"errors": [{{"code": 1}}], "data": {TWO_PEOPLE}}}', "data", ".data"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path", "filter_of_jq"), WRAPPINGS.values(), ids=WRAPPINGS)
def test_one_object_around_the_records_is_named(
    people: Trial, text: str, path: str, filter_of_jq: str
) -> None:
    errors = refusal(people, text)
    assert (
        "expected records with keys of the contract ('id', 'name'), found one object with the key" in errors
    )
    assert f"its array {path!r} holds objects, which may be the records" in errors
    assert f"Next: have the objects in {path!r} delivered by themselves, under the same name" in errors
    assert ("`jq " in errors) == bool(filter_of_jq)
    assert f"`jq {filter_of_jq}`" in errors or not filter_of_jq
    assert "Nothing of it is formatted" in errors


def test_a_wrapping_on_each_line_is_named(people: Trial) -> None:
    errors = refusal(people, f'{{"page": 1, "data": {TWO_PEOPLE}}}\n{{"page": 2, "data": []}}\n', "a.jsonl")
    assert (
        "found 2 records with the keys 'data', 'page'; the first one's array 'data' holds objects" in errors
    )


def test_records_without_any_key_of_the_contract_are_refused(people: Trial) -> None:
    errors = refusal(people, '{"ident": 1, "label": "x"}\n{"ident": 2}\n', "a.jsonl")
    assert "found 2 records with the keys 'ident', 'label'. " in errors
    assert 'columns = { field = "key in the file" }' in errors


def test_records_without_keys_are_refused(people: Trial) -> None:
    assert "found 2 records with no key." in refusal(people, "{}\n{}\n", "a.jsonl")


def test_a_record_of_a_hundred_is_enough_and_so_is_a_null(people: Trial) -> None:
    people.drop("{}\n" * 99 + '{"name": null}\n', "a.jsonl")
    people.drop("[]", "empty.json")
    people.drop('{"more": [{"a": 1}], "id": 5}', "one.json")
    people.drop('{"id": 6, "lines": [{"id": 1, "sku": "x"}]}', "order.json")
    people.run_well()
    assert people.accounted() == (102, 102, 0, 0)
    assert people.formatted("id", "id nulls first")[-2:] == [5, 6]


def test_an_object_with_all_that_is_required_is_a_record(people: Trial) -> None:
    """An order whose lines have more of its keys than the order itself."""
    people.contract(OPTIONAL.replace("id: int | None = None", "id: int"))
    people.drop('{"id": 6, "lines": [{"id": 1, "name": "x"}]}', "order.json")
    people.drop('{"page": 6, "lines": [{"id": 1, "name": "x"}]}', "page.json")
    ended = people.command("run")
    assert "its array 'lines' holds objects" in ended.errors
    assert people.formatted("id") == [6]


def test_a_key_with_null_in_every_record_is_there(people: Trial) -> None:
    """So that another key of nearly its name is no more than a key that no field uses."""
    people.drop('{"name": null, "Name": "x", "id": 1}\n', "a.jsonl")
    people.run_well()
    assert people.formatted("id, name") == [(1, None)]


def test_a_wrapping_that_is_too_long_for_a_record_is_refused(people: Trial) -> None:
    many = ",".join(f'{{"id": {number}, "name": "somebody"}}' for number in range(600_000))
    assert "its array 'data' holds objects" in refusal(people, f'{{"data": [{many}]}}')


def test_a_file_of_broken_records_alone_is_in_quarantine(people: Trial) -> None:
    people.drop("not json\n", "a.jsonl")
    people.run_well()
    assert people.accounted() == (1, 0, 1, 0)


def test_all_keys_of_records_are_known_whatever_the_block(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": null}\n' * 50 + '{"c": [], "b": 1}\n' + "x\n" + '{"a": 1, "b": null}\n')
    for chunk in (1, 40, 1 << 20):
        reader = JsonRecords(path, ["a", "b", "never"], chunk=chunk)
        assert sum(batch.num_rows for batch in reader.batches()) == 53
        assert (reader.records, reader.good, reader.present) == (53, 52, {0, 1})
        assert [*reader.others] == ["c"]


def test_inner_records_of_a_text_that_is_cut_off_anywhere() -> None:
    text = b'{"a": {"b": [{"x": [{"y": 1}], "z": "[{"}]}, "c": [1, {"d": 1}], "e": [{}], "f": [[{"g": 1}]]}'
    text += b' [{"h": 1}]'
    found = [(inner.name, {*inner.keys}) for inner in inner_records(text)]
    assert found == [("a.b", {"x", "z"}), ("e", set())]
    for end in range(len(text)):
        assert [inner.name for inner in inner_records(text[:end])] in ([], ["a.b"], ["a.b", "e"])
