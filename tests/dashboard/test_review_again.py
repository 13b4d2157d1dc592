"""The review page sent twice, late, or with the back button: nothing happens twice, nothing typed is lost."""

from __future__ import annotations

from django.contrib.auth.models import User

from endpoints.models import Endpoint, StatusChange
from endpoints.services import lifecycle
from endpoints.services.transitions import Decision
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.test_review import REASON, decide, fill_in, statuses, url

PROMOTE = f"{url(2, 'production')}&verb=promote"


def test_it_works(raisin: Endpoint, alex: User, browse: Browse) -> None:
    """The same form sent twice is done once, and says twice what is so."""
    client = browse(alex)
    answers = fill_in(client, PROMOTE)
    said = [text_of(client.post(PROMOTE, answers, follow=True)) for _ in range(2)]
    assert all("v2 is live since" in text for text in said)
    assert StatusChange.objects.filter(verb="promote", version__number=2).count() == 1


def test_a_rollback_does_not_promise_a_way_back_to_what_it_leaves(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    """Rolling back twice goes further back, and no gate compares the two."""
    client = browse(alex)
    decide(client, PROMOTE)
    said = text_of(client.get(url(1, "production")))
    assert "v2 is archived; to use it again, restore it to testing, stage and promote it." in said
    assert "the gate above compares" not in said


def test_every_page_has_its_own_submission(raisin: Endpoint, alex: User, browse: Browse) -> None:
    client = browse(alex)
    keys = {fill_in(client, PROMOTE)["submission"] for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) == 32 for key in keys)


def test_going_back_after_a_rollback_does_not_promote_again(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    answers = fill_in(client, PROMOTE)
    client.post(PROMOTE, answers)
    decide(client, url(1, "production"), cause="Slower than before")
    said = text_of(client.post(PROMOTE, answers, follow=True))
    assert "This was done once already" in said
    assert "v2 is in the archive now" in said
    assert "Nothing was changed." in said
    assert statuses(raisin) == [(1, "production"), (2, "archived")]


def test_who_comes_second_to_the_same_decision_is_told_by_whom(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    ben = cast.person("ben", cast.APPROVER)
    answers = fill_in(browse(alex), PROMOTE)
    decide(browse(ben), PROMOTE)
    said = text_of(browse(alex).post(PROMOTE, answers, follow=True))
    assert "v2 is in production now, since" in said
    assert "(ben). Nothing was changed." in said
    assert StatusChange.objects.filter(verb="promote", version__number=2).count() == 1


def test_what_was_typed_is_kept_when_somebody_was_first(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    answers = fill_in(client, PROMOTE, reason="The words that took an hour", override="on")
    cast.registered_version(raisin, status="production", lambda_=0.1)
    response = client.post(PROMOTE, answers)
    body = response.content.decode()
    assert response.status_code == 409
    assert ">\nThe words that took an hour</textarea>" in body
    assert "Nothing was changed" in text_of(response)
    assert_clean(response)
    again = read(response).fields
    assert again["expected_production"] == "3"
    assert again["submission"] != answers["submission"]
    assert " checked" not in body


def test_the_page_that_kept_the_words_can_be_sent(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    answers = fill_in(client, PROMOTE)
    cast.registered_version(raisin, status="production", lambda_=0.1)
    again = read(client.post(PROMOTE, answers)).fields
    client.post(PROMOTE, again | {"reason": REASON})
    assert statuses(raisin)[1] == (2, "production")


def test_it_refuses_where_production_has_been_emptied(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    answers = fill_in(client, PROMOTE)
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN, reason=REASON)
    lifecycle.archive(version=raisin.versions.get(number=1), decision=decision)
    said = text_of(client.post(PROMOTE, answers))
    assert "Production became empty at" in said
    assert statuses(raisin)[1] == (2, "staging")


def test_a_submission_that_was_never_made_here_is_taken_as_it_is(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    """An over-long one is refused; none at all is a form of an older page."""
    client = browse(alex)
    assert client.post(PROMOTE, fill_in(client, PROMOTE, submission="x" * 65)).status_code == 422
    assert client.post(PROMOTE, fill_in(client, PROMOTE, submission="")).status_code == 302
