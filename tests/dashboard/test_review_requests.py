"""A scientist asks for a promotion; an approver promotes or rejects; both read what the other wrote."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.models import Endpoint, PromotionRequest
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.dashboard.test_review import decide, statuses, url
from tests.endpoints.services.abtests.planned import a_test

NOTE = "F1 is higher on the October harvest"
ASK = f"{url(3, 'staging')}&verb=request"
PROMOTE = f"{url(3, 'production')}&verb=promote"
REJECT = f"{url(3, 'testing')}&verb=reject"


@pytest.fixture
def candidate(raisin: Endpoint) -> Endpoint:
    """v3 in testing, as good as v2 and better than v1."""
    cast.registered_version(raisin)
    return raisin


def test_it_works(candidate: Endpoint, dana: User, alex: User, browse: Browse) -> None:
    said = text_of(decide(browse(dana), ASK, reason=NOTE))
    assert "You asked at" in said
    assert "It waits for an approver." in said
    page = browse(alex).get(PROMOTE)
    assert "dana asked for the promotion" in text_of(page)
    assert NOTE in text_of(page)
    assert "Reject instead…" in text_of(page)
    assert_clean(page)
    decide(browse(alex), PROMOTE)
    assert statuses(candidate)[2] == (3, "production")
    assert PromotionRequest.objects.get().outcome == "promoted"


def test_an_approver_rejects_with_a_reason(
    candidate: Endpoint, dana: User, alex: User, browse: Browse
) -> None:
    decide(browse(dana), ASK, reason=NOTE)
    page = text_of(browse(alex).get(REJECT))
    assert "dana reads your reason" in page
    assert NOTE in page
    decide(browse(alex), REJECT, reason="Too few rows from the new harvest")
    assert statuses(candidate)[2] == (3, "testing")
    told = text_of(browse(dana).get("/endpoints/raisin/versions/3/"))
    assert "Too few rows from the new harvest" in told
    assert "rejected by alex" in told


def test_the_requester_withdraws(candidate: Endpoint, dana: User, browse: Browse) -> None:
    decide(browse(dana), ASK, reason=NOTE)
    decide(browse(dana), f"{url(3, 'testing')}&verb=withdraw")
    assert statuses(candidate)[2] == (3, "testing")
    assert PromotionRequest.objects.get().outcome == "withdrawn"


def test_a_staged_version_can_be_asked_for(raisin: Endpoint, dana: User, browse: Browse) -> None:
    decide(browse(dana), f"{url(2, 'staging')}&verb=request", reason="")
    assert PromotionRequest.objects.get().requested_by == dana


def test_a_second_request_is_answered_with_the_first(
    candidate: Endpoint, dana: User, browse: Browse
) -> None:
    decide(browse(dana), ASK, reason=NOTE)
    said = text_of(browse(dana).get(ASK))
    assert "dana has asked for its promotion" in said
    assert PromotionRequest.objects.count() == 1


def test_a_scientist_sees_the_gates_before_asking(
    candidate: Endpoint, dana: User, browse: Browse
) -> None:
    said = text_of(browse(dana).get(ASK))
    assert "Validation metric" in said
    assert "They are checked again when somebody promotes it" in said
    assert "Second person" not in said


def test_who_may_not_ask_reads_which_permission_it_needs(
    candidate: Endpoint, eve: User, browse: Browse
) -> None:
    page = browse(eve).get(ASK)
    assert "endpoints.request_promotion" in page.content.decode()
    assert "Request promotion of v3</button>" not in page.content.decode()


def test_a_plain_address_means_what_the_reader_may(
    candidate: Endpoint, dana: User, alex: User, browse: Browse
) -> None:
    """Links from before there were requests lead to staging for whoever may only stage."""
    assert "Request promotion of v3" in text_of(browse(dana).get(url(3, "staging")))
    assert "Stage v3?" in text_of(browse(alex).get(url(3, "staging")))


def test_the_home_page_tells_the_approver_alone(
    candidate: Endpoint, dana: User, alex: User, browse: Browse
) -> None:
    assert "Needs attention" not in text_of(browse(alex).get("/"))
    decide(browse(dana), ASK, reason=NOTE)
    home = browse(alex).get("/")
    assert "dana asks to promote v3 of Raisin" in text_of(home)
    assert NOTE in text_of(home)
    assert_clean(home)
    assert "Needs attention" not in text_of(browse(dana).get("/"))


def test_the_home_page_shows_at_most_five_the_oldest_first(
    raisin: Endpoint, dana: User, alex: User, browse: Browse
) -> None:
    for number in range(3, 9):
        cast.registered_version(raisin)
        decide(browse(dana), f"{url(number, 'staging')}&verb=request", reason="")
    said = text_of(browse(alex).get("/"))
    assert "v7 of Raisin" in said
    assert "v8 of Raisin" not in said.partition("First steps")[0]
    assert "more requests wait" in said


def test_the_overview_lists_open_requests(
    candidate: Endpoint, dana: User, eve: User, browse: Browse
) -> None:
    decide(browse(dana), ASK, reason=NOTE)
    page = browse(eve).get("/endpoints/raisin/")
    assert "Waits for an approver" in text_of(page)
    assert NOTE in text_of(page)
    assert_clean(page)


def test_the_winner_of_a_test_is_promoted_here(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    raisin.versions.filter(number=2).update(**{"status": "ab_testing"})
    said = text_of(browse(alex).get(url(2, "production")))
    assert "The running test ends: v2 has won over v1." in said
    decide(browse(alex), url(2, "production"))
    assert statuses(raisin) == [(1, "archived"), (2, "production")]


def test_what_ends_a_running_test_says_so(raisin: Endpoint, alex: User, browse: Browse) -> None:
    cast.registered_version(raisin, status="staging")
    a_test(raisin)
    unfinished = "The running test “v1 or v2” ends unfinished: v2 goes back to staging."
    for number, to in ((3, "production"), (1, "archived")):
        assert unfinished in text_of(browse(alex).get(url(number, to)))
    assert unfinished not in text_of(browse(alex).get(url(2, "production")))
    assert unfinished not in text_of(browse(alex).get(url(3, "archived")))


def test_a_rollback_ends_a_running_test_too(raisin: Endpoint, alex: User, browse: Browse) -> None:
    third = cast.registered_version(raisin, status="staging")
    decide(browse(alex), url(2, "production"))
    a_test(raisin, challenger=third)
    said = text_of(browse(alex).get(url(1, "production")))
    assert "The running test “v1 or v2” ends unfinished: v3 goes back to staging." in said
