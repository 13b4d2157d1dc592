"""The texts of a model card: who may write them, until when, and that nobody's words are lost."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition, NotAllowed
from endpoints.models import AlgorithmVersion, Endpoint, Event
from endpoints.services import cards, lifecycle
from endpoints.services.access import Caller
from endpoints.services.cards import CardTexts
from endpoints.services.transitions import Decision
from tests import cast
from tests.endpoints.services.decisions import NOON

TEXTS = CardTexts("Sorts grains for the packing line.", "Not for other fruit.")


@pytest.fixture
def staged(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


def write(
    version: AlgorithmVersion, texts: CardTexts = TEXTS, by: User | None = None, **facts: str
) -> bool:
    seen = facts.get("seen", CardTexts.of(version).digest)
    actor = Caller(user=by) if by else cast.SYSTEM
    return cards.write(version=version, texts=texts, seen=seen, actor=actor, now=NOON)


def stored(version: AlgorithmVersion) -> CardTexts:
    return CardTexts.of(AlgorithmVersion.objects.get(pk=version.pk))


def edits() -> list[Event]:
    return list(Event.objects.filter(verb="edit_card"))


def test_it_works(staged: AlgorithmVersion, dana: User) -> None:
    assert not cards.is_complete(staged)
    assert write(staged, by=dana)
    assert stored(staged) == TEXTS
    assert cards.is_complete(staged)


def test_blank_texts_do_not_complete_a_card(staged: AlgorithmVersion) -> None:
    write(staged, CardTexts("For sorting.", " \n\t"))
    assert not cards.is_complete(staged)
    assert CardTexts.of(staged).missing == ("limits",)


def test_it_records_who_wrote_what_instead_of_what(staged: AlgorithmVersion, dana: User) -> None:
    write(staged, by=dana)
    write(staged, CardTexts(TEXTS.intended_use, "Not for figs."), by=dana)
    newest, oldest = edits()
    assert oldest.before == {"intended_use": "", "limits": ""}
    assert newest.before == {"intended_use": TEXTS.intended_use, "limits": TEXTS.limits}
    assert newest.after == {
        "intended_use": TEXTS.intended_use,
        "limits": "Not for figs.",
        "version": 2,
    }
    assert (newest.actor, newest.subject, newest.at) == (dana, "v2", NOON)


def test_who_writes_second_is_told(staged: AlgorithmVersion) -> None:
    seen = CardTexts.of(staged).digest
    write(staged)
    with pytest.raises(Conflict, match="The card of v2 has changed since you opened it"):
        write(staged, CardTexts("Mine.", "Mine."), seen=seen)
    assert stored(staged) == TEXTS
    assert len(edits()) == 1


def test_the_same_words_again_are_no_edit(staged: AlgorithmVersion) -> None:
    seen = CardTexts.of(staged).digest
    write(staged)
    assert not write(staged, seen=seen)
    assert not write(staged, CardTexts(f"{TEXTS.intended_use}\r\n", TEXTS.limits))
    assert len(edits()) == 1


def test_line_ends_of_a_browser_are_kept_as_one_character(staged: AlgorithmVersion) -> None:
    write(staged, CardTexts("one\r\ntwo\rthree", "x"))
    assert stored(staged).intended_use == "one\ntwo\nthree"


@pytest.mark.parametrize("name", ["alex", "dana"])
def test_who_may_stage_may_write(
    name: str, staged: AlgorithmVersion, request: pytest.FixtureRequest
) -> None:
    assert write(staged, by=request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["ana", "dev", "eve"])
def test_it_refuses_everybody_else(
    name: str, staged: AlgorithmVersion, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(NotAllowed):
        write(staged, by=request.getfixturevalue(name))
    assert stored(staged) == CardTexts("", "")
    assert edits() == []


def test_it_refuses_to_rewrite_what_was_approved(raisin: Endpoint) -> None:
    live = raisin.versions.get(number=1)
    with pytest.raises(InvalidTransition, match="kept as it was approved"):
        write(live)
    assert stored(live) == CardTexts("", "")


def test_a_card_stays_frozen_after_production(raisin: Endpoint) -> None:
    decision = Decision(actor=cast.SYSTEM, now=NOON, reason=cast.REASON)
    version = raisin.versions.get(number=1)
    lifecycle.archive(version=version, decision=decision)
    lifecycle.restore(version=version, decision=decision)
    assert version.status == "testing"
    assert cards.is_frozen(version)
    with pytest.raises(InvalidTransition):
        write(version)


def test_it_freezes_at_the_promotion_that_came_first(raisin: Endpoint) -> None:
    """The page was open while somebody else promoted: the version in memory is of before."""
    remembered, promoted = raisin.versions.get(number=2), raisin.versions.get(number=2)
    decision = Decision(actor=cast.SYSTEM, now=NOON, reason=cast.REASON)
    lifecycle.promote(version=promoted, decision=decision)
    with pytest.raises(InvalidTransition):
        write(remembered)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (CardTexts("x" * 20_001, ""), "intended use has 20,001 characters; 20,000 is the most"),
        (CardTexts("", "x" * 20_001), "limits has 20,001 characters"),
        (CardTexts("a\x00b", ""), "null character"),
    ],
)
def test_it_refuses_texts_that_cannot_be_kept(
    texts: CardTexts, message: str, staged: AlgorithmVersion
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        write(staged, texts)
    assert edits() == []


def test_the_longest_texts_are_kept(staged: AlgorithmVersion) -> None:
    longest = CardTexts("x" * cards.LONGEST_TEXT, "y" * cards.LONGEST_TEXT)
    assert write(staged, longest)
    assert stored(staged) == longest


def test_digests_tell_texts_apart() -> None:
    digests = {CardTexts(a, b).digest for a, b in [("", ""), ("a", ""), ("", "a"), ("a", "a")]}
    assert len(digests) == 4
