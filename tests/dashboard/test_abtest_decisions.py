"""Starting a test, changing its share, stopping it: what the pages ask, do once, and say afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from endpoints.models import ABTest, Endpoint
from endpoints.services.abtests import drafting, stopping
from endpoints.services.abtests.stopping import Stop
from tests import cast
from tests.dashboard import tested
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of

REASON = "Six points better on the harvest."


@pytest.fixture
def draft(raisin: Endpoint) -> ABTest:
    planned = ABTest(
        endpoint=raisin,
        title="v2 or v1",
        challenger=raisin.versions.get(number=2),
        kind="split",
        horizon=400,
    )
    return drafting.create(planned, actor=cast.SYSTEM, now=timezone.now(), challenger_share=3_000)


@pytest.fixture
def winning(raisin: Endpoint) -> ABTest:
    return tested.split_test(raisin, right=(840, 900))


def start(client: Client, test: ABTest) -> Any:
    address = f"/tests/{test.pk}/start/"
    return client.post(address, read(client.get(address)).fields, follow=True)


def stopped_by(client: Client, test: ABTest, **answers: str) -> Any:
    address = f"/tests/{test.pk}/stop/"
    asked = {"conclusion": "b_wins", "serves": "control", "reason": REASON}
    return client.post(address, read(client.get(address)).fields | asked | answers, follow=True)


def test_a_result_that_cannot_be_computed_is_shown_and_stopped(
    winning: ABTest, alex: User, browse: Browse
) -> None:
    ABTest.objects.update(metric="expected_cost", cost_fp=1e300, cost_fn=1e300)
    client = browse(alex)
    shown = client.get(f"/tests/{winning.pk}/")
    assert "The result cannot be computed from these counts and this plan" in text_of(shown)
    assert_clean(shown)
    response = stopped_by(client, winning)
    assert response.status_code == 200
    assert "The result cannot be computed from these counts and this plan" in text_of(response)
    winning.refresh_from_db()
    assert (winning.state, winning.conclusion) == ("stopped", "b_wins")


def test_it_works(draft: ABTest, alex: User, browse: Browse) -> None:
    client = browse(alex)
    shown = client.get(f"/tests/{draft.pk}/start/")
    assert "v2 answers 30 % of the units from the next request on, v1 the others" in text_of(shown)
    assert "Schema and classes" in text_of(shown)
    assert_clean(shown)
    response = start(client, draft)
    assert "The test is running since" in text_of(response)
    draft.refresh_from_db()
    assert (draft.state, draft.started_by_name) == ("running", "alex")
    assert draft.control is not None
    assert draft.control.number == 1


@pytest.mark.parametrize(
    "settings", [{"auto_promote": True}, {"challenger_share": 9_000}, {"title": "v2 wins"}]
)
def test_a_plan_that_was_changed_since_it_was_shown_is_shown_again(
    draft: ABTest, alex: User, browse: Browse, settings: dict[str, Any]
) -> None:
    client, address = browse(alex), f"/tests/{draft.pk}/start/"
    seen = read(client.get(address)).fields
    drafting.configure(draft, settings, actor=cast.SYSTEM, now=timezone.now())
    refused = client.post(address, seen)
    assert refused.status_code == 409
    assert "was changed meanwhile, or another version is in production" in text_of(refused)
    assert_clean(refused)
    assert ABTest.objects.get().state == "draft"
    again = client.post(address, read(refused).fields, follow=True)
    assert "The test is running since" in text_of(again)


def test_a_form_that_does_not_say_what_was_seen_starts_nothing(
    draft: ABTest, alex: User, browse: Browse
) -> None:
    refused = browse(alex).post(f"/tests/{draft.pk}/start/", {"submission": "form-1"})
    assert refused.status_code == 409
    assert ABTest.objects.get().state == "draft"


def test_it_says_why_a_test_cannot_start(draft: ABTest, alex: User, browse: Browse) -> None:
    client, version = browse(alex), draft.challenger
    type(version).objects.filter(pk=version.pk).update(status="testing")
    page = client.get(f"/tests/{draft.pk}/start/")
    assert "v2 is in testing: a test starts from staging." in text_of(page)
    refused = client.post(f"/tests/{draft.pk}/start/")
    assert refused.status_code == 409
    assert "It was not started" in text_of(refused)
    assert_clean(refused)
    type(version).objects.filter(pk=version.pk).update(status="staging")
    draft.endpoint.versions.filter(number=1).update(status="archived")
    said = text_of(client.get(f"/tests/{draft.pk}/start/"))
    assert "Nothing is in production, so there is nothing to compare with." in said


def test_one_test_runs_at_a_time(winning: ABTest, alex: User, browse: Browse) -> None:
    other = cast.registered_version(winning.endpoint, status="staging")
    second = drafting.create(
        ABTest(endpoint=winning.endpoint, title="another", challenger=other, horizon=400),
        actor=cast.SYSTEM,
        now=timezone.now(),
    )
    client = browse(alex)
    said = text_of(client.get(f"/tests/{second.pk}/start/"))
    assert "“v1 or v2” is running: there is one test at a time." in said
    assert client.post(f"/tests/{second.pk}/start/").status_code == 409


def test_a_second_click_starts_nothing_anew(draft: ABTest, alex: User, browse: Browse) -> None:
    client = browse(alex)
    start(client, draft)
    again = client.post(f"/tests/{draft.pk}/start/", follow=True)
    assert "“v2 or v1” is running since" in text_of(again)
    assert "(alex)" in text_of(again)


def test_a_share_is_changed_with_a_reason(winning: ABTest, alex: User, browse: Browse) -> None:
    client, address = browse(alex), f"/tests/{winning.pk}/share/"
    assert client.get(address).context["form"]["challenger_share"].value() == 50
    too_short = client.post(address, {"challenger_share": "20", "reason": "less"})
    assert too_short.status_code == 422
    assert_clean(too_short)
    said = text_of(client.post(address, {"challenger_share": "20", "reason": REASON}, follow=True))
    assert "Phase 2 has begun." in said
    assert [phase.challenger_share for phase in winning.phases.order_by("number")] == [5_000, 2_000]
    again = client.post(address, {"challenger_share": "20", "reason": REASON}, follow=True)
    assert "B has this share already." in text_of(again)
    assert winning.phases.count() == 2


@pytest.mark.parametrize(
    ("share", "said"),
    [
        ("0", "Ensure this value is greater than or equal to 0.01."),
        ("99.995", "Ensure this value is less than or equal to 99.99."),
        ("12.345", "Give two decimals at most; 12.345 has more."),
        ("20.004999", "Give two decimals at most; 20.004999 has more."),
    ],
)
def test_a_share_that_cannot_be_kept_is_refused(
    share: str, said: str, winning: ABTest, alex: User, browse: Browse
) -> None:
    client, address = browse(alex), f"/tests/{winning.pk}/share/"
    refused = client.post(address, {"challenger_share": share, "reason": REASON})
    assert refused.status_code == 422
    assert said in refused.context["form"].errors["challenger_share"]
    assert said in text_of(refused)
    assert winning.phases.count() == 1


@pytest.mark.parametrize(("share", "kept"), [("0.01", 1), ("99.99", 9_999), ("0.29", 29)])
def test_a_share_of_two_decimals_is_kept_as_it_is(
    share: str, kept: int, winning: ABTest, alex: User, browse: Browse
) -> None:
    address = f"/tests/{winning.pk}/share/"
    browse(alex).post(address, {"challenger_share": share, "reason": REASON})
    assert winning.phases.get(number=2).challenger_share == kept


def test_a_version_in_the_archive_cannot_start(draft: ABTest, alex: User, browse: Browse) -> None:
    draft.endpoint.versions.filter(number=2).update(status="archived")
    said = text_of(browse(alex).get(f"/tests/{draft.pk}/start/"))
    assert "v2 is in the archive: a test starts from staging." in said


def test_a_shadow_test_has_no_share_to_change(raisin: Endpoint, alex: User, browse: Browse) -> None:
    test = tested.shadow_test(raisin)
    client = browse(alex)
    assert "Change share" not in text_of(client.get(f"/tests/{test.pk}/"))
    said = text_of(client.get(f"/tests/{test.pk}/share/", follow=True))
    assert "is running since" in said


def test_stopping_suggests_what_the_test_says(winning: ABTest, alex: User, browse: Browse) -> None:
    page = browse(alex).get(f"/tests/{winning.pk}/stop/")
    form = page.context["form"]
    assert (form["conclusion"].value(), form["serves"].value()) == ("b_wins", "challenger")
    assert "B is better: ready to decide" in text_of(page)
    assert_clean(page)


def test_keeping_a_ends_the_test(winning: ABTest, alex: User, browse: Browse) -> None:
    response = stopped_by(browse(alex), winning, conclusion="no_difference")
    said = text_of(response)
    assert "The test is stopped; v1 answers all requests. v2 is back in staging." in said
    assert f"Stopped: no useful difference alex stopped it just now : {REASON}" in said
    winning.refresh_from_db()
    assert winning.summary["banner"] == "b_better"
    assert winning.challenger.status == "staging"


def test_promoting_b_leads_to_the_review(winning: ABTest, alex: User, browse: Browse) -> None:
    response = stopped_by(browse(alex), winning, serves="challenger")
    assert response.redirect_chain[-1][0] == (
        "/endpoints/raisin/versions/2/review/?to=production&verb=promote"
    )
    said = text_of(response)
    assert "Now review the promotion of v2." in said
    assert "Test with live traffic" in said
    assert winning.endpoint.versions.get(number=1).status == "production"


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"reason": "short"}, "reason"),
        ({"conclusion": "maybe"}, "conclusion"),
        ({"serves": ""}, "serves"),
        ({"conclusion": "a_wins", "serves": "challenger"}, "serves"),
    ],
)
def test_it_is_not_stopped_by_half_an_answer(
    answers: dict[str, str], field: str, winning: ABTest, alex: User, browse: Browse
) -> None:
    response = stopped_by(browse(alex), winning, **answers)
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert "It was not stopped" in text_of(response)
    assert_clean(response)
    winning.refresh_from_db()
    assert winning.is_running


def test_who_comes_second_is_told_by_whom(winning: ABTest, alex: User, browse: Browse) -> None:
    client = browse(alex)
    client.get(f"/tests/{winning.pk}/stop/")
    stop = Stop(conclusion="inconclusive", reason="it takes too long")
    stopping.stop(winning, stop, actor=cast.SYSTEM, now=timezone.now())
    late = {"conclusion": "b_wins", "serves": "control", "reason": REASON}
    said = text_of(client.post(f"/tests/{winning.pk}/stop/", late, follow=True))
    assert "“v1 or v2” was stopped at" in said
    assert "(dana)" in said
    winning.refresh_from_db()
    assert winning.conclusion == "inconclusive"


@pytest.mark.parametrize(
    ("person", "drafts", "decides"), [("eve", 0, 0), ("dana", 1, 0), ("alex", 1, 1)]
)
def test_controls_are_shown_to_whom_they_are_for(
    person: str,
    drafts: int,
    decides: int,
    draft: ABTest,
    request: pytest.FixtureRequest,
    browse: Browse,
) -> None:
    client = browse(request.getfixturevalue(person))
    links = read(client.get(f"/tests/{draft.pk}/")).links
    assert (f"/tests/{draft.pk}/edit/" in links) == bool(drafts)
    assert (f"/tests/{draft.pk}/start/" in links) == bool(decides)
    address = f"/tests/{draft.pk}/start/"
    done = client.post(address, read(client.get(address)).fields if decides else {})
    assert done.status_code == (302 if decides else 403)
    links = read(client.get(f"/tests/{draft.pk}/")).links
    assert (f"/tests/{draft.pk}/stop/" in links) == bool(decides)


@pytest.mark.parametrize("what", ["start", "share", "stop"])
def test_a_test_of_others_is_not_there(
    what: str, winning: ABTest, alex: User, browse: Browse
) -> None:
    Endpoint.objects.update(members_only=True)
    for address in (f"/tests/{winning.pk}/", f"/tests/{winning.pk}/{what}/"):
        assert browse(alex).get(address).status_code == 404
        assert browse(alex).post(address, {}).status_code == 404
    winning.refresh_from_db()
    assert winning.is_running
