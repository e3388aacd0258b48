"""Names that no field of a contract can have, and what is no field."""

from __future__ import annotations

import typing
import warnings
from pathlib import Path
from typing import Annotated, ClassVar, Final

import pytest
from pydantic import AliasChoices, ConfigDict, Field

from backbone.contracts.contract import Contract, Key, columns
from backbone.errors import ContractError
from projects import TinyProject, finished


class Private(Contract):
    _id: Annotated[str, Key]
    name: str


class Mangled(Contract):
    __v: int
    v: int


class OfBase(Private):
    a: int


class Traced(Contract):
    _row: int
    a: int


class Line(Contract):
    _LINE: int
    a: int


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Pydantic warns of the fields below

    class Copied(Contract):
        copy: str  # type: ignore[assignment]

    class AsJson(Contract):
        json: str | None = None  # type: ignore[assignment]

    class Named(Contract):
        id: str = Field(alias="_id")

    class ReadAs(Contract):
        a: int
        id: Annotated[str | None, Field(validation_alias=AliasChoices("_id", "key"))] = None

    class Camel(Contract):
        model_config = ConfigDict(alias_generator=str.upper)
        sale_id: int

    class Fixed(Contract):
        a: int
        most: Final[int] = 3


@pytest.mark.parametrize(
    ("contract", "name", "problem", "way_out"),
    [
        (Private, "_id", "underscore", '[sources.NAME] columns = { id = "_id" }'),
        (OfBase, "_id", "underscore", '[sources.NAME] columns = { id = "_id" }'),
        (Mangled, "__v", "underscore", 'columns = { v_value = "__v" }'),
        (Traced, "_row", "reserved", 'columns = { row = "_row" }'),
        (Line, "_LINE", "reserved", 'columns = { LINE = "_LINE" }'),
        (Copied, "copy", "every Pydantic model has", 'columns = { copy_value = "copy" }'),
        (AsJson, "json", "every Pydantic model has", 'columns = { json_value = "json" }'),
        (Fixed, "most", "makes no column", "a constant is a ClassVar"),
        (
            Named,
            "id",
            "the alias '_id'",
            'remove it, and map it in backbone.toml: [sources.NAME] columns = { id = "_id" }',
        ),
        (ReadAs, "id", "the alias AliasChoices(", 'columns = { id = "name in the file" }'),
    ],
)
def test_a_field_of_which_pydantic_makes_no_column_is_an_error(
    contract: type[Contract], name: str, problem: str, way_out: str
) -> None:
    with pytest.raises(ContractError) as caught:
        columns(contract)
    assert caught.value.where == f"{contract.__name__}.{name}"
    assert problem in caught.value.problem
    assert way_out in caught.value.next_step


def test_settings_that_make_aliases_are_an_error() -> None:
    with pytest.raises(ContractError, match="Camel: model_config sets alias_generator") as caught:
        columns(Camel)
    assert 'columns = { field = "name in the file" }' in caught.value.next_step


class SameName(Contract):
    a: int = Field(alias="a")
    b: int = Field(serialization_alias="c")


def test_a_name_for_writing_and_the_same_name_are_none_for_reading() -> None:
    assert [c.name for c in columns(SameName)] == ["a", "b"]


class WithConstants(Contract):
    model_config: ClassVar[ConfigDict] = ConfigDict(title="constants")
    most: ClassVar[int] = 3
    least: typing.ClassVar[int] = 0
    a: int


class Overridden(WithConstants):
    a: ClassVar[int] = 1  # type: ignore[misc]
    b: int


def test_constants_are_no_columns() -> None:
    assert [c.name for c in columns(WithConstants)] == ["a"]
    assert [c.name for c in columns(Overridden)] == ["b"]


def pipeline_of(field: str) -> str:
    return f"""
    class Thing(Contract):
        "A thing."
        {field}
        name: str

    pipeline = Pipeline("tiny", every="day", sources=[Source("thing", Thing)], steps=[])
    """


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("_id: Annotated[str, Key]", 'columns = { id = "_id" }'),
        ("_id: str = Field(min_length=1)", "leading underscores"),
        ("model_config: str", "model_config"),
        ("copy: str", 'columns = { copy_value = "copy" }'),
        ('id: str = Field(alias="_id")', 'columns = { id = "_id" }'),
        (
            "code: Annotated[str, Field(pattern='(')]",
            "RE2, which checks a pattern, can't read '(': missing )",
        ),
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused_when_the_pipeline_loads(
    tmp_path: Path, field: str, found: str
) -> None:
    project = TinyProject(tmp_path, pipeline_of(field), {})
    project.drop("thing", "a.csv", ["_id,name", "1,x"])
    with pytest.raises(ContractError) as refused:
        project.open()
    assert found in str(refused.value)
    assert refused.value.next_step
    status, _, err = finished(tmp_path, "run")
    assert status == 2
    assert found in err
    assert "Warning" not in err
    assert (tmp_path / "landing" / "temporal" / "thing" / "a.csv").is_file()


def test_a_name_with_an_underscore_in_the_file_is_mapped(tmp_path: Path) -> None:
    settings = '[sources.thing]\ncolumns = { id = "_id" }\n'
    project = TinyProject(tmp_path, pipeline_of("id: Annotated[str, Key]"), {}, settings)
    project.drop("thing", "a.csv", ["_id,name", "1,x", "2,y"])
    assert project.run().ok
    assert sorted(project.rows("select id, name from formatted.thing")) == [("1", "x"), ("2", "y")]
