"""A/B tests over REST: planned, listed, read, changed, deleted and downloaded, by whom and with which numbers."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.models import ABLook, ABTest, Endpoint, Event, LabelCount, RollUp, Status
from endpoints.models.roll_up import Span
from endpoints.services.abtests import analysis, sizing, starting, stopping, summary, ticking
from endpoints.services.abtests.stopping import Stop
from tests import cast
from tests.endpoints.api.client import post, problem_in, send, with_key
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
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db

TESTS = "/api/v1/abtests"
LATER = NOON + timedelta(hours=5)
DRAFT = {"endpoint": "raisin", "challenger": 2}


@pytest.fixture
def scientist(dana: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(dana)[1])


@pytest.fixture
def approver(alex: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(alex)[1])


@pytest.fixture
def reader(dev: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(dev, scopes=["read"])[1])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: LATER)


def path(test: ABTest, verb: str = "") -> str:
    return f"{TESTS}/{test.pk}{'/' if verb else ''}{verb}"


def fields_in(problem: dict[str, Any]) -> set[str]:
    return {part["field"] for part in problem["errors"]}


def test_it_works(scientist: APIClient, raisin: Endpoint) -> None:
    plan = {"title": "old or new", "kind": "split", "challenger_share": 2_000, "horizon": 800}
    response = post(scientist, TESTS, DRAFT | plan)
    made = response.json()
    assert response.status_code == 201, made
    test = ABTest.objects.get()
    assert made == scientist.get(path(test)).json()
    assert {name: made[name] for name in DRAFT | plan} == DRAFT | plan
    assert (made["id"], made["state"], made["control"]) == (test.pk, "draft", None)
    assert (made["created_by"], made["started_at"], made["ended_at"]) == (
        "key tests of dana", None, None,
    )  # fmt: skip
    assert (made["conclusion"], made["reason"], made["summary"]) == (None, "", "")
    assert made["url"] == f"http://testserver/tests/{test.pk}/"
    assert test.phases.get().challenger_share == 2_000


def test_what_is_left_out_is_as_the_plan_has_it(scientist: APIClient, raisin: Endpoint) -> None:
    made = post(scientist, TESTS, DRAFT).json()
    assert made["title"] == "v2 against v1"
    assert (made["kind"], made["metric"], made["looks"]) == ("shadow", "accuracy", "any_time")
    assert (made["alpha"], made["margin"], made["minimum_effect"]) == (0.05, 0.0, 0.02)
    assert (made["minimum_labels"], made["challenger_share"]) == (100, 5_000)
    assert (made["latency_limit_ms"], made["error_margin"], made["brier_margin"]) == (
        None, 0.01, 0.02,
    )  # fmt: skip


def test_a_draft_without_a_horizon_gets_one(scientist: APIClient, raisin: Endpoint) -> None:
    for given in ({}, {"horizon": None}):
        made = post(scientist, TESTS, DRAFT | given).json()
        assert made["horizon"] == made["size"]["labels_needed"] > 1_000


def test_a_draft_tells_its_size_in_labels_and_days(scientist: APIClient, raisin: Endpoint) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
    facts = {"endpoint": raisin, "number": 1, "seconds": Span.HOUR, "start": hour}
    counts = {"requests": 400, "rows": 400, "two_class_rows": 400, "positives": 200}
    packed: dict[str, Any] = {"latencies": {}, "scores": {}, "refusals": {}}
    RollUp.objects.create(**facts, writer="tests", **counts, **packed)
    LabelCount.objects.create(**facts, predicted="Besni", label="Besni", rows=170)
    LabelCount.objects.create(**facts, predicted="Besni", label="Kecimen", rows=30)
    size = post(scientist, TESTS, DRAFT | {"kind": "split"}).json()["size"]
    now = timezone.now()
    test = ABTest.objects.get()
    expected = sizing.size(test, raisin, now)
    assert (size["labels_needed"], size["requests_needed"]) == (
        expected.labels_needed, expected.requests_needed,
    )  # fmt: skip
    assert (size["baseline"], size["coverage"]) == (0.85, 0.5)
    assert size["days"] == pytest.approx(expected.days, rel=1e-3)
    assert size["labels_per_day"] == pytest.approx(expected.labels_per_day, rel=1e-3)


def test_a_started_test_has_no_size_any_more(reader: APIClient, raisin: Endpoint) -> None:
    assert reader.get(path(a_test(raisin))).json()["size"] is None


@pytest.mark.parametrize("counts", [B_BETTER, B_WORSE, ALIKE])
@pytest.mark.usefixtures("later")
def test_its_numbers_are_those_of_the_analysis(
    reader: APIClient, raisin: Endpoint, counts: dict[str, Any]
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **counts)
    asked(test, a=600, b=600, errors=3)
    report = analysis.analyse(ABTest.objects.get(), LATER)
    told = reader.get(path(test)).json()["report"]
    assert told == json.loads(json.dumps(summary.as_dict(report)))
    assert report.statistics is not None
    assert told["result"]["difference"] == report.statistics.difference is not None
    assert told["challenger"]["value"] == report.challenger.value is not None
    assert told["labels_per_day"] is not None


@pytest.mark.parametrize(("labels", "is_hidden"), [(99, True), (100, False)])
def test_results_are_hidden_before_the_minimum(
    reader: APIClient, raisin: Endpoint, labels: int, is_hidden: bool
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, a=(labels // 2, labels - labels // 2), b=(labels, 0))
    asked(test, a=120, b=120)
    ABLook.objects.create(
        phase=test.phases.get(), at=NOON, labels=100, difference=0.5, low=0.3, high=0.7, p_value=0.1
    )
    for address in (path(test), path(test, "export")):
        told = reader.get(address).json()
        report = told["report"]
        assert (report["hidden_until"], report["result"] is None) == (
            100 if is_hidden else None, is_hidden,
        )  # fmt: skip
        for arm in (report["control"], report["challenger"]):
            values = [arm[name] for name in ("value", "low", "high", "brier")]
            assert [value is None for value in values] == [is_hidden] * 4
            assert (arm["labels"], arm["requests"]) == (labels, 120)
        assert report["checks"]["sample_ratio_p"] == pytest.approx(1.0)
        assert len(report["guardrails"]) == 2
        assert told["phases"][0].get("looks", []) == [] or not is_hidden
    assert len(told["phases"][0]["looks"]) == (0 if is_hidden else 1)


def test_the_list_has_the_newest_first_and_no_reports(reader: APIClient, raisin: Endpoint) -> None:
    first, second = (a_draft(raisin, title=title) for title in ("first", "second"))
    found = reader.get(TESTS).json()["results"]
    assert [one["id"] for one in found] == [second.pk, first.pk]
    one = reader.get(path(first)).json()
    more = {"report", "kept", "phases", "size"}
    assert found[1] == {name: value for name, value in one.items() if name not in more}
    assert more <= one.keys()


def test_the_list_comes_in_pages(reader: APIClient, raisin: Endpoint) -> None:
    ids = [a_draft(raisin, title=f"plan {number}").pk for number in range(3)][::-1]
    page = reader.get(f"{TESTS}?limit=2").json()
    assert [one["id"] for one in page["results"]] == ids[:2]
    assert [one["id"] for one in reader.get(page["next"]).json()["results"]] == ids[2:]


def test_the_list_is_narrowed_down(reader: APIClient, raisin: Endpoint) -> None:
    other = cast.an_endpoint("other")
    cast.registered_version(other, status=Status.PRODUCTION)
    elsewhere = a_draft(other, challenger=cast.registered_version(other))
    running, draft = a_test(raisin), a_draft(raisin)

    def ids(asked_for: str) -> set[int]:
        return {one["id"] for one in reader.get(f"{TESTS}?{asked_for}").json()["results"]}

    assert ids("endpoint=raisin") == {running.pk, draft.pk}
    assert ids("state=draft") == {draft.pk, elsewhere.pk}
    assert ids("state=running&endpoint=raisin") == {running.pk}
    assert ids("state=stopped") == set()


@pytest.mark.parametrize(
    ("asked_for", "status", "code", "said"),
    [
        ("state=open", 400, "invalid_request", "state is one of draft, running, stopped"),
        ("endpoint=unknown", 404, "not_found", "“unknown”"),
        ("kind=split", 400, "invalid_request", "'kind' is not a query parameter here"),
        ("cursor=x", 400, "invalid_request", "cursor"),
    ],
)
def test_it_refuses_what_is_no_filter(
    reader: APIClient, raisin: Endpoint, asked_for: str, status: int, code: str, said: str
) -> None:
    assert said in problem_in(reader.get(f"{TESTS}?{asked_for}"), status, code)["error"]


def test_the_number_of_queries_is_small(
    reader: APIClient, raisin: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    asked(test, a=600, b=600)
    reader.get(TESTS)
    with django_assert_max_num_queries(9):
        reader.get(path(test))


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"challenger": None}, "challenger", "wrong_type"),
        ({"challenger": 0}, "challenger", "wrong_type"),
        ({"challenger": 9}, "challenger", "bad_setting"),
        ({"challenger": 1}, "challenger", "bad_setting"),
        ({"title": ""}, "title", "wrong_type"),
        ({"title": "  "}, "title", "bad_setting"),
        ({"title": "two\nlines"}, "title", "wrong_type"),
        ({"title": "x" * 201}, "title", "wrong_type"),
        ({"kind": "both"}, "kind", "wrong_type"),
        ({"challenger_share": 0}, "challenger_share", "wrong_type"),
        ({"challenger_share": 10_000}, "challenger_share", "wrong_type"),
        ({"metric": "roc_auc"}, "metric", "wrong_type"),
        ({"cost_fp": -1}, "cost_fp", "wrong_type"),
        ({"metric": "expected_cost", "cost_fp": 0, "cost_fn": 0}, "cost_fp", "bad_setting"),
        ({"margin": 1}, "margin", "bad_setting"),
        ({"minimum_effect": 0}, "minimum_effect", "wrong_type"),
        ({"alpha": 0.6}, "alpha", "wrong_type"),
        ({"looks": "often"}, "looks", "wrong_type"),
        ({"minimum_labels": 49}, "minimum_labels", "wrong_type"),
        ({"horizon": 80}, "horizon", "bad_setting"),
        ({"most_days": 0}, "most_days", "wrong_type"),
        ({"maturation_hours": 8_761}, "maturation_hours", "wrong_type"),
        ({"latency_limit_ms": 0}, "latency_limit_ms", "wrong_type"),
        ({"error_margin": 1.1}, "error_margin", "wrong_type"),
        ({"brier_margin": 2.1}, "brier_margin", "wrong_type"),
        ({"auto_promote": 1}, "auto_promote", "wrong_type"),
        ({"state": "running"}, "state", "unknown_field"),
    ],
)
def test_errors_name_the_field(
    scientist: APIClient, raisin: Endpoint, given: dict[str, Any], field: str, code: str
) -> None:
    problem = problem_in(post(scientist, TESTS, DRAFT | given), 400, "invalid_request")
    [part] = problem["errors"]
    assert (part["field"], part["code"]) == (field, code)
    assert field in problem["error"]
    draft = a_draft(raisin)
    problem = problem_in(send(scientist, "PATCH", path(draft), given), 400, "invalid_request")
    assert fields_in(problem) == {field}
    assert ABTest.objects.count() == 1


def test_all_that_is_wrong_is_named(scientist: APIClient, raisin: Endpoint) -> None:
    wrong = {"alpha": 2, "kind": "both", "horizon": 1}
    problem = problem_in(post(scientist, TESTS, DRAFT | wrong), 400, "invalid_request")
    assert fields_in(problem) == set(wrong)


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_number_is_finite(scientist: APIClient, raisin: Endpoint, value: str) -> None:
    body = f'{{"endpoint": "raisin", "challenger": 2, "margin": {value}}}'.encode()
    problem = problem_in(post(scientist, TESTS, body), 400, "invalid_request")
    assert fields_in(problem) == {"margin"}


def test_the_positive_class_is_needed_for_f1(scientist: APIClient, raisin: Endpoint) -> None:
    version = cast.registered_version(raisin)
    raisin.versions.filter(pk=version.pk).update(artifact_sha256="0" * 64)
    body = DRAFT | {"challenger": version.number, "metric": "f1"}
    problem = problem_in(post(scientist, TESTS, body), 400, "invalid_request")
    assert fields_in(problem) == {"metric"}


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, {"endpoint", "challenger"}),
        ({"endpoint": "raisin"}, {"challenger"}),
        ({"title": "x", "parent_mlalgorithm_1": 1}, {"parent_mlalgorithm_2"}),
        ({"parent_mlalgorithm_1": 1, "parent_mlalgorithm_2": 2}, {"title"}),
    ],
)
def test_what_is_missing_is_named(
    scientist: APIClient, raisin: Endpoint, body: dict[str, Any], missing: set[str]
) -> None:
    problem = problem_in(post(scientist, TESTS, body), 400, "invalid_request")
    assert fields_in(problem) == missing
    assert {part["code"] for part in problem["errors"]} == {"missing_field"}


@pytest.mark.parametrize(("body", "code"), [(b"", "invalid_json"), (b"[1]", "invalid_request")])
def test_a_body_is_an_object(
    scientist: APIClient, raisin: Endpoint, body: bytes, code: str
) -> None:
    problem_in(post(scientist, TESTS, body), 400, code)


def test_an_endpoint_that_is_unknown_is_not_found(scientist: APIClient, raisin: Endpoint) -> None:
    problem_in(post(scientist, TESTS, DRAFT | {"endpoint": "unknown"}), 404, "not_found")


def test_it_changes_a_draft_and_nothing_else_of_it(scientist: APIClient, raisin: Endpoint) -> None:
    third = cast.registered_version(raisin)
    draft = a_draft(raisin, most_days=9)
    before = scientist.get(path(draft)).json()
    changes = {"challenger": third.number, "challenger_share": 100, "most_days": None}
    response = send(scientist, "PATCH", path(draft), changes)
    assert response.status_code == 200
    changed = response.json()
    expected = before | changes | {"parent_mlalgorithm_2": third.pk}
    assert {name: changed[name] for name in changed if name not in ("report", "size")} == {
        name: expected[name] for name in expected if name not in ("report", "size")
    }
    event = Event.objects.get(verb="change_abtest")
    assert event.actor_name == "key tests of dana"


def test_a_plan_is_fixed_once_it_runs(scientist: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin)
    for method, body in (("PATCH", {"alpha": 0.1}), ("DELETE", {})):
        problem = problem_in(send(scientist, method, path(test), body), 409, "conflict")
        assert "its plan is fixed" in problem["error"]
    assert ABTest.objects.get().alpha == 0.05


def test_it_deletes_a_draft(scientist: APIClient, raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    response = scientist.delete(path(draft))
    assert (response.status_code, response.content) == (204, b"")
    assert not ABTest.objects.exists()
    for method in ("GET", "PATCH", "DELETE"):
        problem_in(send(scientist, method, path(draft), {}), 404, "not_found")


@pytest.mark.parametrize("pk", [0, 10**6, 2**63, 10**30])
def test_a_test_that_is_unknown_is_not_found(
    approver: APIClient, raisin: Endpoint, pk: int
) -> None:
    problem_in(approver.get(f"{TESTS}/{pk}"), 404, "not_found")
    for verb in ("start", "stop", "share"):
        problem_in(post(approver, f"{TESTS}/{pk}/{verb}", {}), 404, "not_found")
    problem_in(post(approver, f"/api/v1/stop_ab_test/{pk}", {}), 404, "not_found")


def test_a_reader_plans_nothing(reader: APIClient, raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    problem_in(post(reader, TESTS, DRAFT), 403, "not_allowed")
    problem_in(send(reader, "PATCH", path(draft), {"alpha": 0.1}), 403, "not_allowed")
    problem_in(reader.delete(path(draft)), 403, "not_allowed")
    assert ABTest.objects.get().alpha == 0.05


def test_tests_for_members_are_hidden_from_others(reader: APIClient, raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    cast.an_endpoint("open")
    Endpoint.objects.filter(slug="raisin").update(members_only=True)
    assert reader.get(TESTS).json()["results"] == []
    for address in (path(draft), path(draft, "export"), f"{TESTS}?endpoint=raisin"):
        problem_in(reader.get(address), 404, "not_found")


def test_what_it_said_is_kept_beside_a_recount(reader: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    stopping.stop(test, Stop(conclusion="b_wins", reason=REASON), actor=ALEX, now=LATER)
    labelled(test, a=(500, 100), b=(500, 100))
    told = reader.get(path(test)).json()
    assert (told["kept"]["control"]["labels"], told["report"]["control"]["labels"]) == (500, 600)
    assert (told["state"], told["conclusion"], told["stopped_by"]) == ("stopped", "b_wins", "alex")
    assert told["phases"][0]["ended_at"] == told["ended_at"]


def test_it_is_downloaded_as_json(reader: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **B_BETTER)
    response = reader.get(path(test, "export"))
    assert response["Content-Disposition"] == f'attachment; filename="abtest-{test.pk}.json"'
    told, one = response.json(), reader.get(path(test)).json()
    assert told["report"]["result"] == one["report"]["result"]
    assert told["title"] == "v1 or v2"


@pytest.mark.usefixtures("later")
def test_it_is_downloaded_as_csv(reader: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="split", title="=1+1")
    labelled(test, **B_BETTER)
    response = reader.get(path(test, "export") + "?format=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="abtest-{test.pk}.csv"'
    header, *lines = csv.reader(io.StringIO(response.getvalue().decode()))  # type: ignore[attr-defined]
    assert header == ["name", "value"]
    values = dict(lines)  # type: ignore[arg-type]
    told = reader.get(path(test, "export")).json()
    assert float(values["report.result.difference"]) == told["report"]["result"]["difference"]
    assert values["report.control.labels"] == "500"
    assert values["url"] == told["url"] == f"http://testserver/tests/{test.pk}/"
    assert values["phases.0.challenger_share"] == "5000"
    assert (values["title"], values["kept"]) == ("'=1+1", "")


def test_a_draft_is_downloaded_too(reader: APIClient, raisin: Endpoint) -> None:
    told = reader.get(path(a_draft(raisin), "export")).json()
    assert (told["state"], told["phases"], told["kept"]) == ("draft", [], None)


def test_other_formats_are_refused(reader: APIClient, raisin: Endpoint) -> None:
    problem = problem_in(
        reader.get(path(a_draft(raisin), "export") + "?format=xml"), 400, "invalid_request"
    )
    assert fields_in(problem) == {"format"}


def test_the_challenger_of_a_draft_is_named_by_number(raisin: Endpoint, reader: APIClient) -> None:
    told = reader.get(path(a_draft(raisin))).json()
    assert (told["challenger"], told["report"]["challenger"]["version"]) == (2, 2)
    assert told["report"]["control"]["version"] == 1
    assert told["parent_mlalgorithm_2"] == challenger(raisin).pk


@pytest.mark.parametrize("address", [TESTS, f"{TESTS}/1"])
def test_it_tells_its_methods(scientist: APIClient, raisin: Endpoint, address: str) -> None:
    assert scientist.options(address).status_code == 200


def test_a_bandit_is_planned_steered_and_read(
    scientist: APIClient, raisin: Endpoint, later: None
) -> None:
    made = post(scientist, TESTS, DRAFT | {"kind": "bandit", "floor": 1_000}).json()
    assert (made["kind"], made["floor"], made["challenger_share"]) == ("bandit", 1_000, 5_000)
    test = starting.start(ABTest.objects.get(), actor=ALEX, now=NOON)
    labelled(test, **B_BETTER)
    ticking.tick(test, LATER)
    found = scientist.get(path(test)).json()
    assert found["challenger_share"] == 9_000
    report = found["report"]
    first, second = report["phases"]
    assert (first["b_best"], second["challenger_share"]) == (None, 9_000)
    assert second["b_best"] == pytest.approx(report["result"]["b_better"])
    assert (report["result"]["fixed"], report["result"]["decides"]) == (None, "always_valid")
    assert (report["banner"], report["labels"]) == ("b_better", 500)


def test_what_makes_no_bandit_is_refused(scientist: APIClient, raisin: Endpoint) -> None:
    plan = DRAFT | {"kind": "bandit", "metric": "f1", "looks": "at_horizon"}
    assert fields_in(problem_in(post(scientist, TESTS, plan), 400, "invalid_request")) == {
        "metric",
        "looks",
    }
    with_floor = DRAFT | {"kind": "bandit", "floor": 5_000}
    assert fields_in(problem_in(post(scientist, TESTS, with_floor), 400, "invalid_request")) == {
        "floor"
    }


def test_the_shares_of_a_bandit_are_its_own(approver: APIClient, raisin: Endpoint) -> None:
    test = a_test(raisin, kind="bandit")
    body = {"challenger_share": 2_000, "reason": REASON}
    problem = problem_in(post(approver, path(test, "share"), body), 400, "invalid_request")
    assert "chooses its shares itself" in problem["detail"]
