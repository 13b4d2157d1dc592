"""The verbs of the lifecycle over REST: who may, what is recorded, and that sending again does no harm."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import AlgorithmVersion, Endpoint, Event, PromotionRequest, StatusChange
from tests.cast import THEN, Status, an_endpoint, new_key, registered_version
from tests.endpoints.api.client import post, problem_in, with_key

pytestmark = pytest.mark.django_db

RAISIN = "/api/v1/endpoints/raisin"
REASON = "better on the new harvest"
BODY = {"reason": REASON}


@pytest.fixture
def scientist(dana: User) -> APIClient:
    return with_key(APIClient(), new_key(dana)[1])


@pytest.fixture
def approver(alex: User) -> APIClient:
    return with_key(APIClient(), new_key(alex)[1])


def decide(
    api: APIClient, number: int, verb: str, body: object = BODY, key: str = ""
) -> HttpResponse:
    headers = {"Idempotency-Key": key} if key else {}
    return post(api, f"{RAISIN}/versions/{number}/{verb}", body, **headers)


def status_of(endpoint: Endpoint, number: int) -> str:
    return endpoint.versions.get(number=number).status


def worse_version(endpoint: Endpoint) -> AlgorithmVersion:
    return registered_version(endpoint, status=Status.STAGING, lambda_=10.0)


def test_it_works(approver: APIClient, raisin: Endpoint) -> None:
    response = decide(approver, 2, "promote", BODY | {"expected_production": 1})
    change = response.json()
    assert response.status_code == 200, change
    assert (change["endpoint"], change["version"], change["verb"]) == ("raisin", 2, "promote")
    assert (change["from"], change["to"], change["by"]) == (
        "staging",
        "production",
        "key tests of alex",
    )
    assert (change["reason"], change["overridden"]) == (REASON, [])
    assert {"smoke", "schema", "metric"} <= {gate["code"] for gate in change["gates"]}
    assert (status_of(raisin, 1), status_of(raisin, 2)) == ("archived", "production")


def test_it_records_the_person_behind_the_key(
    approver: APIClient, alex: User, raisin: Endpoint
) -> None:
    decide(approver, 2, "promote")
    change = StatusChange.objects.get(verb="promote", version__number=2)
    assert (change.actor, change.actor_name) == (alex, "key tests of alex")
    assert Event.objects.filter(verb="promote", subject="v2").count() == 1


@pytest.mark.parametrize(
    ("verb", "number", "before", "after"),
    [
        ("stage", 3, Status.TESTING, "staging"),
        ("reject", 2, Status.STAGING, "testing"),
        ("withdraw", 2, Status.STAGING, "testing"),
        ("archive", 1, Status.PRODUCTION, "archived"),
    ],
)
def test_each_verb_leads_on(
    approver: APIClient, raisin: Endpoint, verb: str, number: int, before: str, after: str
) -> None:
    registered_version(raisin)
    assert status_of(raisin, number) == before
    assert decide(approver, number, verb).json()["to"] == after
    assert status_of(raisin, number) == after


def test_an_archived_version_is_restored(approver: APIClient, raisin: Endpoint) -> None:
    decide(approver, 2, "archive")
    assert decide(approver, 2, "restore").json()["to"] == "testing"


def test_a_request_is_answered_by_a_promotion(
    scientist: APIClient, approver: APIClient, raisin: Endpoint
) -> None:
    assert decide(scientist, 2, "request").json()["to"] == "staging"
    waiting = approver.get("/api/v1/promotion-requests?outcome=open").json()["results"]
    assert [(found["version"], found["note"]) for found in waiting] == [(2, REASON)]
    decide(approver, 2, "promote")
    [found] = approver.get("/api/v1/promotion-requests").json()["results"]
    assert (found["outcome"], found["closed_by"]) == ("promoted", "key tests of alex")
    assert approver.get("/api/v1/promotion-requests?outcome=open").json()["results"] == []


def test_it_refuses_an_outcome_that_there_is_not(approver: APIClient, raisin: Endpoint) -> None:
    response = approver.get("/api/v1/promotion-requests?outcome=lost")
    problem_in(response, 400, "invalid_request")


def test_staging_needs_no_body(scientist: APIClient, raisin: Endpoint) -> None:
    registered_version(raisin)
    assert decide(scientist, 3, "stage", b"").status_code == 200


def test_rolling_back_brings_back_the_version_before(approver: APIClient, raisin: Endpoint) -> None:
    decide(approver, 2, "promote")
    response = post(approver, f"{RAISIN}/rollback", BODY | {"expected_production": 2})
    assert (response.json()["version"], response.json()["to"]) == (1, "production")
    assert (status_of(raisin, 1), status_of(raisin, 2)) == ("production", "archived")


def test_it_refuses_to_roll_back_where_nothing_was_before(
    approver: APIClient, raisin: Endpoint
) -> None:
    problem_in(post(approver, f"{RAISIN}/rollback", BODY), 409, "invalid_transition")


@pytest.mark.parametrize(
    ("verb", "permission"),
    [
        ("promote", "endpoints.promote_version"),
        ("reject", "endpoints.promote_version"),
        ("archive", "endpoints.archive_version"),
    ],
)
def test_it_refuses_a_scientist(
    scientist: APIClient, raisin: Endpoint, verb: str, permission: str
) -> None:
    problem = problem_in(decide(scientist, 2, verb), 403, "not_allowed")
    assert f"“{permission}” at “raisin”" in problem["error"]
    assert status_of(raisin, 2) == "staging"


def test_it_refuses_a_key_that_may_not_manage(api: APIClient, alex: User, raisin: Endpoint) -> None:
    with_key(api, new_key(alex, scopes=["predict", "read"])[1])
    problem = problem_in(decide(api, 2, "promote"), 403, "not_allowed")
    assert "scope “manage”" in problem["error"]


def test_a_key_that_only_manages_may_promote(api: APIClient, alex: User, raisin: Endpoint) -> None:
    with_key(api, new_key(alex, scopes=["manage"])[1])
    assert decide(api, 2, "promote").status_code == 200


def test_it_refuses_strangers(api: APIClient, raisin: Endpoint) -> None:
    problem_in(decide(api, 2, "promote"), 401, "not_authenticated")


def test_it_refuses_a_browser_without_its_token(alex: User, raisin: Endpoint) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(alex)
    problem_in(decide(browser, 2, "promote"), 403, "csrf_failed")
    browser.cookies["csrftoken"] = token = "a" * 32
    answer = post(browser, f"{RAISIN}/versions/2/promote", BODY, X_CSRFToken=token)
    assert (answer.status_code, answer.json()["by"]) == (200, "alex")


def test_a_key_bound_elsewhere_sees_no_endpoint(
    api: APIClient, alex: User, raisin: Endpoint
) -> None:
    with_key(api, new_key(alex, endpoint=an_endpoint("other"))[1])
    problem_in(decide(api, 2, "promote"), 404, "not_found")


def test_a_failed_gate_blocks_and_is_listed(approver: APIClient, raisin: Endpoint) -> None:
    worse = worse_version(raisin)
    problem = problem_in(decide(approver, worse.number, "promote"), 409, "gate_failed")
    assert [part["code"] for part in problem["errors"]] == ["metric"]
    assert status_of(raisin, 1) == "production"


def test_overriding_needs_its_own_permission(approver: APIClient, raisin: Endpoint) -> None:
    worse = worse_version(raisin)
    answer = decide(approver, worse.number, "promote", BODY | {"override": True})
    assert "endpoints.override_gates" in problem_in(answer, 403, "not_allowed")["error"]


def test_an_override_is_recorded(approver: APIClient, alex: User, raisin: Endpoint) -> None:
    alex.user_permissions.add(Permission.objects.get(codename="override_gates"))
    number = worse_version(raisin).number
    short = decide(approver, number, "promote", {"reason": "needed tonight", "override": True})
    problem_in(short, 400, "invalid_request")
    answer = decide(approver, number, "promote", BODY | {"override": True})
    assert answer.json()["overridden"] == ["metric"]
    history = approver.get(f"{RAISIN}/versions/{number}").json()["history"]
    assert history[0]["overridden"] == ["metric"]


def test_a_decision_on_an_old_sight_changes_nothing(approver: APIClient, raisin: Endpoint) -> None:
    answer = decide(approver, 2, "promote", BODY | {"expected_production": 0})
    problem = problem_in(answer, 409, "conflict")
    assert "Review again" in problem["error"]
    assert status_of(raisin, 1) == "production"


def test_a_status_that_does_not_fit(approver: APIClient, raisin: Endpoint) -> None:
    problem_in(decide(approver, 1, "promote"), 409, "invalid_transition")


def test_sending_again_answers_the_same_change(approver: APIClient, raisin: Endpoint) -> None:
    first = decide(approver, 2, "promote", key="deploy-7")
    again = decide(approver, 2, "promote", key="deploy-7")
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert StatusChange.objects.filter(verb="promote", version__number=2).count() == 1


def test_a_rollback_sent_again_goes_back_once(approver: APIClient, raisin: Endpoint) -> None:
    decide(approver, 2, "promote")
    path = f"{RAISIN}/rollback"
    first, again = (post(approver, path, BODY, **{"Idempotency-Key": "back-1"}) for _ in range(2))
    assert first.json() == again.json()
    assert status_of(raisin, 1) == "production"


def test_two_callers_may_choose_the_same_key(
    approver: APIClient, raisin: Endpoint, superuser_key: str
) -> None:
    """Nobody gets the answer to somebody else's request, nor the one of another address."""
    number = registered_version(raisin).number
    decide(approver, number, "stage", key="1")
    assert decide(approver, 2, "promote", key="1").json()["verb"] == "promote"
    answer = decide(with_key(APIClient(), superuser_key), number, "stage", key="1")
    problem_in(answer, 409, "invalid_transition")


@pytest.fixture
def superuser_key(db: None) -> str:
    return new_key(User.objects.create_superuser("root"))[1]


@pytest.mark.parametrize("key", ["x" * 65, "two words", "schlüssel", "\x7f"])
def test_it_refuses_an_unusable_key(approver: APIClient, raisin: Endpoint, key: str) -> None:
    problem_in(decide(approver, 2, "promote", key=key), 400, "invalid_request")
    assert status_of(raisin, 2) == "staging"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "short"},
        {"reason": None},
        {"reason": 7},
        {"reason": "x" * 2_001},
        {"reason": f"{REASON}\x00"},
        BODY | {"expected_production": -1},
        BODY | {"expected_production": "1"},
        BODY | {"expected_production": 1.5},
        BODY | {"expected_production": 10**12},
        BODY | {"expected_production": True},
        BODY | {"override": "yes"},
        BODY | {"force": True},
        [],
        "promote",
        b"",
        b"{",
    ],
)
def test_it_refuses_a_body(approver: APIClient, raisin: Endpoint, body: object) -> None:
    response = decide(approver, 2, "promote", body)
    assert response.json()["code"] in ("invalid_request", "invalid_json")
    problem_in(response, 400, response.json()["code"])
    assert status_of(raisin, 2) == "staging"


def test_it_names_every_bad_field(approver: APIClient, raisin: Endpoint) -> None:
    body = {"reason": 7, "expected_production": "x"}
    problem = problem_in(decide(approver, 2, "promote", body), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == ["reason", "expected_production"]


@pytest.mark.parametrize("path", ["9/promote", "2/delete", "2/start_test", "2/replace"])
def test_there_is_no_such_address(approver: APIClient, raisin: Endpoint, path: str) -> None:
    problem_in(post(approver, f"{RAISIN}/versions/{path}", BODY), 404, "not_found")


def test_a_second_request_is_told_of_the_first(scientist: APIClient, raisin: Endpoint) -> None:
    decide(scientist, 2, "request", key="1")
    assert decide(scientist, 2, "request", key="1").status_code == 200
    problem = problem_in(decide(scientist, 2, "request"), 409, "invalid_transition")
    assert "already" in problem["error"]
    assert PromotionRequest.objects.count() == 1


def test_the_moment_of_a_change_is_now(approver: APIClient, raisin: Endpoint) -> None:
    assert decide(approver, 2, "reject").json()["at"] > f"{THEN:%Y-%m-%d}"
