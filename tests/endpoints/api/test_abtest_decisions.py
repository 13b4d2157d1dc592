"""A/B tests are started, given another share, stopped and promoted over REST, also as older clients do it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import ABTest, Endpoint, Event, Status, StatusChange
from endpoints.services import lifecycle
from endpoints.services.abtests import stopping, verdicts
from endpoints.services.abtests.analysis import analyse
from endpoints.services.abtests.stopping import Stop
from tests import cast
from tests.endpoints.api.client import post, problem_in, with_key
from tests.endpoints.services.abtests.planned import (
    ALEX,
    ALIKE,
    B_BETTER,
    B_WORSE,
    REASON,
    a_draft,
    a_test,
    asked,
    challenger,
    labelled,
)
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db

TESTS = "/api/v1/abtests"
STOP = {"conclusion": "b_wins", "reason": REASON}
PROMOTE = STOP | {"serves": "challenger"}


@pytest.fixture
def approver(alex: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(alex)[1])


@pytest.fixture
def scientist(dana: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(dana)[1])


def decide(
    api: APIClient, test: ABTest, verb: str, body: Any = None, key: str = ""
) -> HttpResponse:
    headers = {"Idempotency-Key": key} if key else {}
    return post(api, f"{TESTS}/{test.pk}/{verb}", body or {}, **headers)


def stop_as_older_clients_do(api: APIClient, test: ABTest) -> HttpResponse:
    return api.generic("POST", f"/api/v1/stop_ab_test/{test.pk}")


def statuses(endpoint: Endpoint) -> dict[int, str]:
    return dict(endpoint.versions.values_list("number", "status"))


def test_it_works(approver: APIClient, raisin: Endpoint) -> None:
    draft = a_draft(raisin, kind="split")
    response = decide(approver, draft, "start")
    started = response.json()
    assert response.status_code == 200, started
    assert (started["state"], started["started_by"]) == ("running", "key tests of alex")
    assert (started["control"], started["challenger"]) == (1, 2)
    assert started["parent_mlalgorithm_1"] == raisin.versions.get(number=1).pk
    assert (started["report"]["banner"], started["size"]) == ("keep_running", None)
    assert [phase["number"] for phase in started["phases"]] == [1]
    assert statuses(raisin) == {1: "production", 2: "ab_testing"}


def test_a_start_that_is_sent_again_answers_the_same(approver: APIClient, raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    first, second = (decide(approver, draft, "start", key="once").json() for _ in range(2))
    assert second["started_at"] == first["started_at"]
    assert StatusChange.objects.filter(verb="start_test").count() == 1
    other = a_draft(raisin, title="another")
    assert decide(approver, other, "start", key="once").status_code == 409


def test_a_stop_that_is_sent_again_cannot_say_something_else(
    approver: APIClient, raisin: Endpoint
) -> None:
    test = a_test(raisin)
    body = {"conclusion": "b_wins", "reason": REASON}
    first, again = (decide(approver, test, "stop", body, key="once") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    for other in ({"conclusion": "a_wins"}, {"serves": "challenger"}):
        problem_in(decide(approver, test, "stop", body | other, key="once"), 409, "conflict")
    assert ABTest.objects.get().conclusion == "b_wins"
    assert statuses(raisin) == {1: "production", 2: "staging"}


@pytest.mark.parametrize("is_old", [False, True])
def test_a_result_that_cannot_be_computed_is_read_and_stopped(
    approver: APIClient, raisin: Endpoint, is_old: bool
) -> None:
    test = a_test(raisin, kind="split", metric="expected_cost", minimum_effect=0.5)
    ABTest.objects.update(cost_fp=1e300)
    labelled(test, **B_BETTER)
    read = approver.get(f"{TESTS}/{test.pk}").json()
    assert read["report"]["result"] is None
    assert "cannot be computed" in read["report"]["cautions"][0]
    body = {"conclusion": "inconclusive", "reason": REASON}
    response = (
        stop_as_older_clients_do(approver, test) if is_old else decide(approver, test, "stop", body)
    )
    assert response.status_code == 200
    assert ABTest.objects.get().state == "stopped"


def test_a_test_starts_once(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin)
    problem = problem_in(decide(approver, test, "start"), 409, "conflict")
    assert "has been running since" in problem["error"]


def test_one_test_runs_at_a_time(approver: APIClient, raisin: Endpoint) -> None:
    a_test(raisin)
    other = a_draft(
        raisin, title="second", challenger=cast.registered_version(raisin, status=Status.STAGING)
    )
    problem = problem_in(decide(approver, other, "start"), 409, "conflict")
    assert "“v1 or v2” has been running since" in problem["error"]


def test_a_challenger_that_is_not_staged_starts_nothing(
    approver: APIClient, raisin: Endpoint
) -> None:
    draft = a_draft(raisin)
    lifecycle.withdraw(version=challenger(raisin), decision=decision())
    problem_in(decide(approver, draft, "start"), 409, "invalid_transition")


def test_a_challenger_that_does_not_load_starts_nothing(
    approver: APIClient, raisin: Endpoint
) -> None:
    draft = a_draft(raisin)
    (cast.folder_of(challenger(raisin).run) / "model" / "weights.npz").write_bytes(b"")
    problem = problem_in(decide(approver, draft, "start"), 409, "gate_failed")
    assert [part["code"] for part in problem["errors"]] == ["smoke"]


def test_a_body_that_says_more_is_refused(approver: APIClient, raisin: Endpoint) -> None:
    problem_in(decide(approver, a_draft(raisin), "start", {"now": True}), 400, "invalid_request")
    assert ABTest.objects.get().state == "draft"


@pytest.mark.parametrize("verb", ["start", "share", "stop"])
def test_a_scientist_decides_nothing(scientist: APIClient, raisin: Endpoint, verb: str) -> None:
    test = a_test(raisin, kind="split")
    problem = problem_in(decide(scientist, test, verb, STOP), 403, "not_allowed")
    assert "endpoints.promote_version" in problem["error"]
    problem_in(stop_as_older_clients_do(scientist, test), 403, "not_allowed")
    assert ABTest.objects.get().is_running


def test_another_share_begins_a_phase(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    body = {"challenger_share": 1_000, "reason": REASON}
    for _ in range(2):  # the second time it has that share already
        changed = decide(approver, test, "share", body).json()
        assert changed["challenger_share"] == 1_000
        assert [phase["challenger_share"] for phase in changed["phases"]] == [5_000, 1_000]
    assert changed["phases"][0]["ended_at"] == changed["phases"][1]["started_at"]
    event = Event.objects.get(verb="change_share")
    assert (event.reason, event.actor_name) == (REASON, "key tests of alex")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": REASON}, "challenger_share"),
        ({"challenger_share": 10_000, "reason": REASON}, "challenger_share"),
        ({"challenger_share": 1_000}, "reason"),
        ({"challenger_share": 1_000, "reason": "short"}, "reason"),
    ],
)
def test_a_share_that_does_not_fit_is_refused(
    approver: APIClient, raisin: Endpoint, body: dict[str, Any], field: str
) -> None:
    test = a_test(raisin, kind="split")
    problem = problem_in(decide(approver, test, "share", body), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == [field]
    assert test.phases.count() == 1


def test_only_a_running_split_test_has_shares(approver: APIClient, raisin: Endpoint) -> None:
    body = {"challenger_share": 1_000, "reason": REASON}
    draft = a_draft(raisin, kind="split")
    problem_in(decide(approver, draft, "share", body), 409, "invalid_transition")
    shadow = a_test(raisin)
    problem = problem_in(decide(approver, shadow, "share", body), 400, "invalid_request")
    assert "Only a split test has shares" in problem["error"]


@pytest.mark.parametrize("serves", [{}, {"serves": "control"}])
def test_it_stops_and_the_control_goes_on(
    approver: APIClient, raisin: Endpoint, serves: dict[str, str]
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    stopped = decide(approver, test, "stop", STOP | serves).json()
    assert (stopped["state"], stopped["conclusion"], stopped["reason"]) == (
        "stopped", "b_wins", REASON,
    )  # fmt: skip
    assert (stopped["stopped_by"], stopped["kept"]["banner"]) == ("key tests of alex", "b_better")
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_it_stops_and_the_challenger_is_promoted(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    response = decide(approver, test, "stop", PROMOTE)
    assert response.status_code == 200
    assert (response.json()["state"], response.json()["conclusion"]) == ("stopped", "b_wins")
    assert statuses(raisin) == {1: "archived", 2: "production"}
    change = StatusChange.objects.get(verb="promote", version=challenger(raisin))
    assert (change.reason, change.actor_name) == (REASON, "key tests of alex")
    assert {gate["code"]: gate["verdict"] for gate in change.gates}["abtest"] == "pass"
    assert Event.objects.filter(verb="stop_abtest").count() == 1


def test_a_gate_that_fails_leaves_the_test_running(approver: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(card_required=True)
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    problem = problem_in(decide(approver, test, "stop", PROMOTE), 409, "gate_failed")
    assert [part["code"] for part in problem["errors"]] == ["card"]
    kept = ABTest.objects.get()
    assert (kept.is_running, kept.summary, kept.phases.get().ended_at) == (True, None, None)
    assert statuses(raisin) == {1: "production", 2: "ab_testing"}
    assert not Event.objects.filter(verb__in=("stop_abtest", "stop_test")).exists()


def test_a_test_that_is_not_to_be_trusted_promotes_nothing(
    approver: APIClient, raisin: Endpoint
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=900, b=600)
    problem = problem_in(decide(approver, test, "stop", PROMOTE), 409, "gate_failed")
    assert "abtest" in [part["code"] for part in problem["errors"]]
    assert ABTest.objects.get().is_running


def test_a_stop_that_is_sent_again_changes_nothing(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    first, second = (decide(approver, test, "stop", PROMOTE, key="once") for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["ended_at"] == first.json()["ended_at"]
    assert Event.objects.filter(verb="stop_abtest").count() == 1
    promoted = StatusChange.objects.filter(verb="promote", version=challenger(raisin))
    assert promoted.count() == 1


def test_a_stopped_test_stays_as_it_is(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin)
    decide(approver, test, "stop", STOP)
    problem = problem_in(decide(approver, test, "stop", STOP), 409, "conflict")
    assert "was stopped at" in problem["error"]


def test_a_draft_cannot_be_stopped(approver: APIClient, raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    for body in (STOP, PROMOTE):
        problem_in(decide(approver, draft, "stop", body), 409, "invalid_transition")
    problem_in(stop_as_older_clients_do(approver, draft), 409, "invalid_transition")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": REASON}, "conclusion"),
        ({"conclusion": "c_wins", "reason": REASON}, "conclusion"),
        ({"conclusion": "b_wins"}, "reason"),
        ({"conclusion": "b_wins", "reason": "short"}, "reason"),
        (STOP | {"serves": "v2"}, "serves"),
        (PROMOTE | {"conclusion": "a_wins"}, "serves"),
    ],
)
def test_a_stop_that_says_too_little_is_refused(
    approver: APIClient, raisin: Endpoint, body: dict[str, Any], field: str
) -> None:
    test = a_test(raisin)
    problem = problem_in(decide(approver, test, "stop", body), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == [field]
    assert ABTest.objects.get().is_running


def classic(endpoint: Endpoint, first: int = 1, second: int = 2, **facts: Any) -> dict[str, Any]:
    one, other = (endpoint.versions.get(number=number).pk for number in (first, second))
    parents = {"parent_mlalgorithm_1": one, "parent_mlalgorithm_2": other}
    return {"title": "old and new", **parents, **facts}


@pytest.mark.parametrize(("pair", "by"), [((1, 2), "somebody"), ((2, 1), None)])
def test_two_versions_and_a_title_are_the_classic_test(
    approver: APIClient, raisin: Endpoint, pair: tuple[int, int], by: str | None
) -> None:
    response = post(approver, TESTS, classic(raisin, *pair, created_by=by))
    made = response.json()
    assert response.status_code == 201, made
    assert (made["title"], made["state"], made["kind"]) == ("old and new", "running", "split")
    assert (made["challenger_share"], made["created_by"]) == (5_000, "key tests of alex")
    one, two = raisin.versions.order_by("number")
    assert (made["parent_mlalgorithm_1"], made["parent_mlalgorithm_2"]) == (one.pk, two.pk)
    assert (made["ended_at"], made["summary"]) == (None, "")


def test_who_may_not_promote_starts_no_classic_test(scientist: APIClient, raisin: Endpoint) -> None:
    problem_in(post(scientist, TESTS, classic(raisin)), 403, "not_allowed")
    assert not ABTest.objects.exists()


def test_a_classic_test_of_an_unknown_version_names_the_field(
    approver: APIClient, raisin: Endpoint, alex: User
) -> None:
    hidden = cast.registered_version(cast.an_endpoint("hidden"))
    Endpoint.objects.filter(slug="hidden").update(members_only=True)
    said = set()
    for pk in (hidden.pk, 10**6):
        body = classic(raisin, parent_mlalgorithm_2=pk)
        problem = problem_in(post(approver, TESTS, body), 400, "invalid_request")
        assert [part["field"] for part in problem["errors"]] == ["parent_mlalgorithm_2"]
        said.add(problem["error"].replace(str(pk), "-"))
    assert len(said) == 1


def test_a_classic_test_needs_two_versions_of_one_endpoint(
    approver: APIClient, raisin: Endpoint
) -> None:
    other = cast.registered_version(cast.an_endpoint("other"))
    body = classic(raisin, parent_mlalgorithm_2=other.pk)
    problem_in(post(approver, TESTS, body), 400, "invalid_request")
    problem_in(post(approver, TESTS, classic(raisin, 2, 2)), 409, "invalid_transition")


def test_both_forms_at_once_are_refused(approver: APIClient, raisin: Endpoint) -> None:
    body = classic(raisin) | {"endpoint": "raisin", "challenger": 2}
    problem = problem_in(post(approver, TESTS, body), 400, "invalid_request")
    assert {part["field"] for part in problem["errors"]} == {"endpoint", "challenger"}


def test_older_clients_stop_a_test_that_b_has_won(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    words = verdicts.in_words(analyse(test, NOON))
    response = stop_as_older_clients_do(approver, test)
    assert response.status_code == 200
    assert response.json() == {
        "message": "AB Test finished.",
        "summary": "B wins. v1: accuracy 0.8000 of 500 labels, v2: accuracy 0.9600 of 500 labels. "
        f"Ended by its own report: {words}",
    }
    assert words.startswith("v2 is better than v1 on accuracy (difference +0.1600")
    assert statuses(raisin) == {1: "archived", 2: "production"}
    one = approver.get(f"{TESTS}/{test.pk}").json()
    assert (one["conclusion"], one["summary"]) == ("b_wins", response.json()["summary"])


def test_older_clients_are_told_why_b_is_not_promoted(
    approver: APIClient, raisin: Endpoint
) -> None:
    Endpoint.objects.update(card_required=True)
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    said = stop_as_older_clients_do(approver, test).json()
    assert said["message"] == "AB Test finished."
    assert "v2 is not promoted: The card of v2 does not say" in said["summary"]
    assert statuses(raisin) == {1: "production", 2: "staging"}
    assert ABTest.objects.get().conclusion == "b_wins"


@pytest.mark.parametrize(
    ("counts", "plan", "conclusion"),
    [
        (B_WORSE, {}, "a_wins"),
        (ALIKE, {"margin": 0.07, "minimum_effect": 0.1}, "no_difference"),
        (ALIKE, {"horizon": 500}, "inconclusive"),
        (None, {}, "did_not_finish"),
    ],
)
def test_older_clients_leave_a_where_b_is_not_better(
    approver: APIClient, raisin: Endpoint, counts: Any, plan: dict[str, Any], conclusion: str
) -> None:
    test = a_test(raisin, kind="split", **plan)
    if counts is not None:
        labelled(test, **counts)
    assert stop_as_older_clients_do(approver, test).status_code == 200
    kept = ABTest.objects.get()
    assert (kept.state, kept.conclusion) == ("stopped", conclusion)
    assert statuses(raisin) == {1: "production", 2: "staging"}


def test_older_clients_learn_nothing_before_the_minimum(
    approver: APIClient, raisin: Endpoint
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, a=(30, 20), b=(50, 0))
    assert stop_as_older_clients_do(approver, test).json()["summary"] == (
        "Did not finish. v1: 50 labels, v2: 50 labels. Ended by its own report: "
        "it is not known which of v2 and v1 is better on accuracy."
    )


def test_older_clients_may_stop_it_again(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin)
    how = Stop(conclusion="inconclusive", reason=REASON)
    stopping.stop(test, how, actor=ALEX, now=NOON)
    said = stop_as_older_clients_do(approver, test).json()
    assert said == {
        "message": "AB Test already finished.",
        "summary": f"Inconclusive. v1: 0 labels, v2: 0 labels. {REASON}",
    }
    assert ABTest.objects.get().stopped_by_name == "alex"


def test_to_stop_is_no_get(approver: APIClient, raisin: Endpoint) -> None:
    response = approver.get(f"/api/v1/stop_ab_test/{a_test(raisin).pk}")
    problem_in(response, 405, "method_not_allowed")
    assert response["Allow"] == "POST, OPTIONS"
