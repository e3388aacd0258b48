"""The numbers of docs/csv-pollution.md are those of the generator, and they add up."""

from __future__ import annotations

from collections import Counter

from pollution.every_file import polluted_files
from pollution.on_the_page import by_family, by_proof, by_table, exempt_kinds, totals
from pollution.outcome import EXEMPT, SILENT
from pollution.tables import tables


def test_every_damaged_file_is_on_the_page() -> None:
    files = [one for table in tables() for one in polluted_files(table)]
    assert len({f"{one}" for one in files}) == len(files)
    assert {name: found.total() for name, found in by_table().items()} == Counter(
        one.table.name for one in files
    )
    assert {family: found.total() for family, found in by_family().items()} == Counter(
        one.family for one in files
    )


def test_the_page_adds_up_and_nothing_is_silent() -> None:
    assert totals()[SILENT] == 0
    for parts in (by_table(), by_family()):
        assert sum(parts.values(), Counter()) == +totals()


def test_every_exempt_kind_is_on_the_page_with_its_proofs() -> None:
    exempt = {family: found[EXEMPT] for family, found in by_family().items() if found[EXEMPT]}
    assert {family: proofs.total() for family, proofs in exempt_kinds().items()} == exempt
    assert sum(exempt_kinds().values(), Counter()) == +by_proof()
    assert by_proof().total() == totals()[EXEMPT]
