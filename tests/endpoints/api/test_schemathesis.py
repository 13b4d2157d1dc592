"""Schemathesis over the whole OpenAPI document, with the key of an approver: no 5xx, no word of it untrue.

Each operation gets requests that fit the document and ones that do not, the same ones in each run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.generation import GenerationMode

from endpoints import request_ids
from endpoints.api import waiting
from endpoints.models import (
    Alert,
    AlertRule,
    ApiKey,
    DriftReport,
    Endpoint,
    FeatureDrift,
    PredictionRequest,
)
from endpoints.services import lifecycle
from endpoints.services.abtests import stopping
from endpoints.services.abtests.stopping import Stop
from endpoints.services.alerts import rules
from endpoints.services.batches import folders
from endpoints.services.monitoring import tick
from endpoints.services.transitions import Decision
from raisin_site.wsgi import application
from tests.cast import (
    APPROVER,
    REASON,
    ROW,
    SCIENTIST,
    SYSTEM,
    THEN,
    Status,
    an_endpoint,
    new_key,
    person,
    prediction,
    registered_version,
)
from tests.dashboard import batch_jobs, stored
from tests.endpoints.services.abtests import planned

pytestmark = pytest.mark.django_db

schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.yaml", application)

RUN = "0" * 32
REQUEST = str(request_ids.earliest(THEN))
PREFIX = "rsn_00000000"
RULE, ALERT, REPORT = 1_001, 1_002, 1_003
DRAFT, RUNNING, ENDED = 1_004, 1_005, 1_006
BATCH, BATCH_AT_REST = "1" * 32, "2" * 32
# The first is done, the second is ready.
BATCHES = {"batch_start_post": BATCH_AT_REST, "batch_cancel_post": BATCH_AT_REST}
DATASET, QUEUED = "3" * 32, "4" * 32
RUNS = {"cancel_run_post": QUEUED, "train_again_post": QUEUED}
THERE = {
    "slug": "raisin",
    "run_id": RUN,
    "dataset_id": DATASET,
    "request_id": REQUEST,
    "prefix": PREFIX,
}
# Versions in the status that a verb starts from; v2 is in production.
ARCHIVED, STAGED, TESTED = 1, 3, 4
NUMBERS = {
    **dict.fromkeys(("promote_post", "reject_post", "request_post", "withdraw_post"), STAGED),
    **dict.fromkeys(("archive_post", "stage_post", "version_patch"), TESTED),
    "restore_post": ARCHIVED,
    "abtest_get": ENDED,
    **dict.fromkeys(("abtest_patch", "abtest_delete", "abtest_start_post"), DRAFT),
    **dict.fromkeys(
        ("abtest_export_get", "abtest_share_post", "abtest_stop_post", "stop_ab_test_post"), RUNNING
    ),
    "acknowledge_post": ALERT,
    "drift_report_get": REPORT,
    **dict.fromkeys(
        (
            "alert_rule_get",
            "alert_rule_patch",
            "alert_rule_delete",
            "test_alert_rule_post",
            "mute_alert_rule_post",
        ),
        RULE,
    ),
}
# What no schema can say: cursors come from lists, experiments from the database, cells from the model,
# moments before 1900 from nowhere.
BODIES = {
    "predict_post": {"rows": [ROW]},
    "explain_post": {"rows": [ROW]},
    "monitor_rows_post": {"rows": [ROW], "labels": ["Besni"]},
    "feedback_post": {"label": "Besni"},
    "feedback_list_post": {"feedback": [{"prediction_id": f"{REQUEST}:0", "label": "Besni"}]},
    "endpoint_feedback_post": {"feedback": [{"request_id": REQUEST, "label": "Besni"}]},
    "keys_post": {"name": "press", "scopes": ["read"], "endpoint": "raisin"},
    "versions_post": {"run": RUN},
    "alert_rules_post": {"name": "x", "metric": "requests", "comparator": "below", "limit": 5},
    "alert_rule_patch": {"limit": 0.5, "emails": ["ana@example.org"]},
    "mute_alert_rule_post": {"until": None},
    "monitor_patch": {"window_rows": 500, "min_rows": 40, "alpha": 0.02, "effect": 0.2},
    "abtests_post": {"endpoint": "raisin", "challenger": STAGED},
    "abtest_patch": {"title": "another", "alpha": 0.1},
    "abtest_share_post": {"challenger_share": 1_000, "reason": REASON},
    "batch_start_post": {"log": False},
    "runs_post": {"dataset": DATASET, "target": "Class", "solver": "gd", "epochs": 5},
    "batch_rerun_post": {"version": 2},
    "abtest_stop_post": {"conclusion": "b_wins", "reason": REASON, "serves": "challenger"},
}
UNKNOWABLE = {"cursor", "endpoint", "experiment", "feature", "name", "note"}
UNWISE = {"expected_production", "members_only"}  # the rest of the requests would fail for it


@schemathesis.serializer("application/zip", "application/gzip", "application/vnd.apache.parquet")
def as_it_is(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@schema.hook
def map_case(context: Any, case: Any) -> Any:
    """Lead requests to what is there; otherwise nearly all would end in 404 whatever else they hold."""
    name = case.operation.definition.raw["operationId"]
    case.path_parameters |= {
        part: known(part, value, NUMBERS.get(name))
        for part, value in case.path_parameters.items()
        if fits(part, str(value))
    }
    if fits("batch_id", str(case.path_parameters.get("batch_id", "."))):
        case.path_parameters["batch_id"] = BATCHES.get(name, BATCH)
    if name in RUNS and case.path_parameters["run_id"] == RUN:
        case.path_parameters["run_id"] = RUNS[name]
    if case.meta.generation.mode == GenerationMode.POSITIVE:
        case.query = {part: v for part, v in case.query.items() if part not in UNKNOWABLE}
        if "X-Unit-ID" in case.headers:  # two names that differ are refused
            case.query.pop("unit_id", None)
        if "at" in case.query:
            case.query["at"] = "2026-11-02T12:00:00Z"
        if name == "batch_predict_post":  # its texts are JSON, columns and names of files
            case.query, case.body, case.media_type = {"endpoint": "raisin"}, "Area\n1\n", "text/csv"
        elif name == "datasets_post":
            case.body, case.media_type = "Area\n1\n", "text/csv"
        elif name in BODIES:
            case.body, case.media_type = BODIES[name], "application/json"
        elif isinstance(case.body, dict):
            case.body = {part: v for part, v in case.body.items() if part not in UNWISE}
    return case


def fits(part: str, value: str) -> bool:
    """Say whether a part of the path is what the document asks for; if not, it stays as it is."""
    if part in ("number", "pk") and value.isdecimal():
        return int(value) > 0
    return re.fullmatch("[-a-zA-Z0-9_]{1,64}", value) is not None and part != "number"


def known(part: str, value: Any, number: int | None) -> str:
    if part in THERE:
        return THERE[part]
    return str(number or int(value) % 5) if str(value).isdecimal() else REQUEST


@pytest.fixture
def key(raisin: Endpoint) -> str:
    """Return the text of a key that may do everything; what `map_case` speaks of is there."""
    Endpoint.objects.update(gate_policy="warn")
    prepare_versions(raisin)
    prepare_tests()
    prepare_alerts(raisin)
    prepare_batches(raisin)
    stored.a_run(stored.a_dataset(id=DATASET), id=QUEUED)
    alex = person("alex", (*APPROVER, *SCIENTIST, "override_gates", "add_feedback"))
    spare, _ = new_key(alex)
    ApiKey.objects.filter(pk=spare.pk).update(prefix=PREFIX)
    logged = prediction(raisin).request_id
    prepare_report(raisin)
    PredictionRequest.objects.filter(pk=logged).update(id=REQUEST)
    return new_key(alex)[1]


def prepare_versions(raisin: Endpoint) -> None:
    """Archive v1, promote v2, stage v3, leave v4 in testing; a test of v3 is planned."""
    decision = Decision(actor=SYSTEM, now=THEN, reason=REASON)
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision)
    staged = registered_version(raisin, status=Status.STAGING)
    run = copy(registered_version(raisin).run)
    run.pk = RUN
    run.save(force_insert=True)
    planned.a_draft(raisin, challenger=staged, id=DRAFT)


def prepare_tests() -> None:
    """At another endpoint one test was stopped with labels enough, and one runs."""
    other = an_endpoint("other")
    registered_version(other, status=Status.PRODUCTION)
    plan = {"kind": "split", "challenger": registered_version(other, status=Status.STAGING)}
    for pk in (ENDED, RUNNING):
        test = planned.a_test(other, id=pk, **plan)
        planned.labelled(test, **planned.B_BETTER)
        planned.asked(test, a=600, b=600)
        if pk == ENDED:
            how = Stop(conclusion="b_wins", reason=REASON)
            stopping.stop(test, how, actor=SYSTEM, now=THEN + timedelta(days=1))


def prepare_alerts(raisin: Endpoint) -> None:
    """One alert fires."""
    rule = rules.add_default(raisin, actor=SYSTEM, now=THEN)
    AlertRule.objects.filter(pk=rule.pk).update(id=RULE)
    moments = {"window_start": THEN, "pending_at": THEN, "fired_at": THEN}
    Alert.objects.create(pk=ALERT, rule_id=RULE, state="firing", value=2.0, limit=1.0, **moments)


def prepare_batches(raisin: Endpoint) -> None:
    """One is done and one waits for somebody to start it."""
    for pk, state in ((BATCH, "done"), (BATCH_AT_REST, "ready")):
        reading = {"columns": list(ROW), "delimiter": ","}
        job = batch_jobs.a_job(raisin, None, state, id=pk, reading=reading)
        folders.folder(job).mkdir(parents=True, exist_ok=True)
        for path in (folders.source(job), folders.results(job), folders.errors(job)):
            path.write_text("Area\n1\n")


def prepare_report(raisin: Endpoint) -> None:
    """One day has been looked through."""
    tick.tick(raisin, lambda: THEN + timedelta(minutes=1))
    made = DriftReport.objects.filter(window="day")
    before = made.values_list("pk", flat=True)[0]
    made.update(id=REPORT)
    FeatureDrift.objects.filter(report_id=before).update(report_id=REPORT)


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is there."""
    monkeypatch.setattr(waiting, "_seats", BoundedSemaphore(1))
    waiting._seats.acquire()


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keep the connection of the test's transaction, as Django's own test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_document_holds(case: Any, key: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {key}"})
