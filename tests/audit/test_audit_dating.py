"""Heads that others saw are kept over the years, and date entries for anybody who checks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild.audit.dating import Around, Dating
from f2fbuild.errors import NobodyError
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import cosignatures
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.sighted import Sighted
from f2fbuild.limits import SIGHTING_SECONDS as DAY
from f2fbuild.limits import SIGHTINGS_IN_FULL
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.evidence_people import Node

AUTHOR, OTHER = Node("A", 1), Node("A", 2)
ANN, BEN, CAT, DAN = Node("B", 3), Node("C", 4), Node("D", 5), Node("E", 6)
START = 20_000 * DAY


class House:
    """A log, who knows whom, and a clock."""

    def __init__(self, directory: Path, database: Database) -> None:
        self.log = Log.create(directory / "log", AUTHOR.log)
        self.log.append(AUTHOR.write(AUTHOR.certificate()))
        self.now = START
        self.friends = [AUTHOR, OTHER, ANN, BEN, CAT, DAN]
        self.shared = ""
        self.collected = Collected(database)
        self.sighted = Sighted(database)
        self.dating = Dating(self.sighted, self.around())
        self.collected.on_add(self.dating.seen)

    def around(self) -> Around:
        return Around(
            log=lambda origin: self.log if origin == AUTHOR.origin else None,
            owner=lambda _origin: AUTHOR.owner,
            said=self.collected.of,
            witnesses=lambda: [evidence.read_node(one.file()) for one in self.friends],
            independent=self.independent,
            clock=lambda: self.now,
        )

    def independent(self, owners: tuple[str, ...]) -> int:
        """Owners named in `shared` have one voice together."""
        return len({"shared" if one[0] in self.shared else one for one in owners})

    def see(self, *witnesses: Node, at: int = 0) -> None:
        """Let these cosign the newest head, at this time or now, one after the other."""
        for witness in witnesses:
            note = witness.cosign(self.log.checkpoint(), at or self.now)
            key = evidence.read_node(witness.file()).witness
            self.collected.add(self.log.head, cosignatures(note, [key]))

    def grow(self) -> int:
        order = entry.Order(commit=f"{self.log.size:064x}")
        return self.log.append(AUTHOR.write(order)).start

    def kept(self) -> list[tuple[int, int, int]]:
        """Size, day and number of lines of what is kept."""
        return [
            (one.head.size, (one.kept - START) // DAY, len(parse_note(one.note).signatures) - 1)
            for one in self.sighted.of(AUTHOR.origin)
        ]

    def date(self, index: int, before: int = 0) -> evidence.DatedFinding:
        limit, data = self.dating.evidence(self.log, index, before)
        found = evidence.check(data)
        assert isinstance(found, evidence.DatedFinding)
        assert (found.origin, found.index, found.before) == (AUTHOR.origin, index, limit)
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Database.open(tmp_path / "rows" / "node.sqlite", MIGRATIONS) as database:
        made = House(tmp_path, database)
        with made.log:
            yield made


def test_a_head_is_kept_when_the_second_independent_owner_has_seen_it(house: House) -> None:
    house.shared = "BC"
    house.see(ANN)
    house.see(BEN, OTHER, AUTHOR)
    assert house.kept() == []
    house.see(CAT)
    assert house.kept() == [(1, 0, 3)]


def test_one_head_is_kept_for_each_day_the_first(house: House) -> None:
    house.see(ANN, BEN)
    house.grow()
    house.see(ANN, BEN)
    assert house.kept() == [(1, 0, 2)]
    house.now += DAY
    house.see(ANN, BEN)
    house.grow()
    house.see(ANN, BEN)
    assert house.kept() == [(1, 0, 2), (2, 1, 2)]


def test_who_sees_a_kept_head_later_is_added_and_nobodys_first_word_is_replaced(house: House) -> None:
    house.see(ANN, BEN)
    house.now += 100
    house.see(CAT, ANN, BEN)
    assert house.kept() == [(1, 0, 3)]
    (sighting,) = house.sighted.of(AUTHOR.origin)
    keys = [evidence.read_node(one.file()).witness for one in (ANN, BEN, CAT)]
    said = {one.key: one.time for one in cosignatures(sighting.note, keys)}
    assert [said[key] for key in keys] == [START, START, START + 100]


def test_heads_that_are_past_and_logs_that_are_not_here_are_not_kept(house: House) -> None:
    old, note = house.log.head, house.log.checkpoint()
    elsewhere = replace(old, origin=OTHER.origin)
    house.grow()
    for witness in (ANN, BEN):
        key = evidence.read_node(witness.file()).witness
        said = cosignatures(witness.cosign(note, START), [key])
        house.collected.add(old, said)
        house.collected.add(elsewhere, said)
    assert house.kept() == []
    assert house.sighted.of(OTHER.origin) == []


def test_old_days_are_thinned_as_new_ones_come(house: House) -> None:
    for _ in range(SIGHTINGS_IN_FULL + 70):
        house.grow()
        house.see(ANN, BEN)
        house.now += DAY
    days = [day for _, day, _ in house.kept()]
    assert len(days) < SIGHTINGS_IN_FULL + 5
    assert days[-SIGHTINGS_IN_FULL:] == list(range(70, SIGHTINGS_IN_FULL + 70))


def test_an_entry_is_dated_by_the_first_head_that_has_it(house: House) -> None:
    house.see(ANN, BEN)
    house.now += DAY
    index = house.grow()
    house.see(ANN, BEN, CAT)
    house.now += DAY
    house.grow()
    house.see(CAT, BEN)
    assert house.date(0).before == START + 1
    found = house.date(index)
    assert found.before == START + DAY + 1
    assert {one.node.owner for one in found.cosigners} == {ANN.owner, BEN.owner, CAT.owner}
    # A later time is shown by the same head.
    assert house.date(index, START + 5 * DAY).before == START + 5 * DAY


def test_only_who_saw_it_by_then_is_named(house: House) -> None:
    house.see(ANN, BEN)
    house.see(CAT, at=START + 50)
    assert {one.node.owner for one in house.date(0, START + 50).cosigners} == {ANN.owner, BEN.owner}
    assert len(house.date(0, START + 51).cosigners) == 3


def test_the_newest_head_dates_what_no_kept_one_has(house: House) -> None:
    house.see(ANN, BEN)
    index = house.grow()
    house.see(ANN, CAT)
    assert house.kept() == [(1, 0, 2)]
    assert {one.node.owner for one in house.date(index).cosigners} == {ANN.owner, CAT.owner}


def test_who_is_no_friend_any_more_still_bears_witness(house: House) -> None:
    house.see(ANN, BEN)
    house.friends = [AUTHOR]
    house.now += DAY
    house.grow()
    assert {one.node.owner for one in house.date(0).cosigners} == {ANN.owner, BEN.owner}


@pytest.mark.parametrize("case", ["nobody", "one", "one and himself", "one voice"])
def test_too_few_date_nothing(house: House, case: str) -> None:
    house.shared = "BC"
    house.see(*{"nobody": (), "one": (ANN,), "one and himself": (ANN, OTHER), "one voice": (ANN, BEN)}[case])
    with pytest.raises(NobodyError, match="two independent owners besides its own") as refused:
        house.date(0)
    assert (refused.value.exit_code, refused.value.where) == (8, f"entry 0 of {AUTHOR.origin}")


def test_a_time_before_anybody_saw_it_is_refused_with_the_time_that_can_be_shown(house: House) -> None:
    house.see(ANN, BEN)
    with pytest.raises(NobodyError, match="not before 2024-10-04T00:00:00Z"):
        house.date(0, START)
    assert house.date(0, START + 1).before == START + 1


def test_it_is_all_there_after_a_restart(tmp_path: Path) -> None:
    store = tmp_path / "rows" / "node.sqlite"
    with Database.open(store, MIGRATIONS) as database:
        first = House(tmp_path, database)
        first.see(ANN, BEN)
        kept = first.kept()
        first.log.close()
    with Database.open(store, MIGRATIONS) as database:
        assert [one.head.size for one in Sighted(database).of(AUTHOR.origin)] == [kept[0][0]]
        assert {one.owner for one in Sighted(database).witnesses()} == {ANN.owner, BEN.owner}
