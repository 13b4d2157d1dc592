"""What a process counted, in the text that Prometheus reads; a key that may read is needed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from endpoints.models import ABArm, Endpoint, RollUp
from endpoints.models.roll_up import Span
from endpoints.services import lifecycle, request_log, serving
from endpoints.services.metrics import Asked, Metrics, TakenPart, metrics
from endpoints.services.snapshots import ModelCache
from endpoints.services.transitions import Decision
from raisin_site import metrics as page
from tests import cast
from tests.cast import ROW
from tests.endpoints.services.abtests import trial

PREDICT = "/api/v1/raisin/predict"
INFER = "/v2/models/raisin/infer"
TENSOR = {"name": "x", "datatype": "FP64", "shape": [1, 7], "data": list(ROW.values())}

Scrape = Callable[[], dict[str, float]]


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count from nothing, as a process that has just started."""
    for name, value in vars(Metrics()).items():
        monkeypatch.setattr(metrics, name, value)
    monkeypatch.setattr(request_log, "_log", None)


@pytest.fixture
def scrape(client: Client, dev_key: str) -> Scrape:
    """Return all samples, by name and labels as they are written."""

    def read() -> dict[str, float]:
        response = client.get("/metrics", headers={"Authorization": f"Bearer {dev_key}"})
        assert response.status_code == 200, response.text
        return samples(response.text)

    return read


def samples(text: str) -> dict[str, float]:
    return {
        written(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def written(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def ask(client: Client, path: str, body: object, **headers: str) -> int:
    return client.post(
        path, json.dumps(body), content_type="application/json", headers=headers
    ).status_code


def test_it_works(client: Client, raisin: Endpoint, scrape: Scrape) -> None:
    ask(client, PREDICT, ROW)
    ask(client, PREDICT, {"rows": [ROW, ROW]})
    ask(client, INFER, {"inputs": [TENSOR]})
    found, place = scrape(), "endpoint=raisin"
    requests = "raisin_inference_requests_total{code=200,endpoint=raisin,protocol=%s,version=1}"
    assert found[requests % "native"] == 2
    assert found[requests % "open_inference"] == 1
    assert found[f"raisin_inference_rows_total{{{place},version=1}}"] == 4
    assert found[f"raisin_inference_duration_seconds_count{{{place},version=1}}"] == 3
    assert 0 < found[f"raisin_inference_duration_seconds_sum{{{place},version=1}}"] < 60
    assert found["raisin_log_rows_written_total"] == 3
    assert found["raisin_log_flush_seconds_count"] == 3
    assert found["raisin_log_queue_depth"] == found["raisin_log_rows_dropped_total"] == 0


def test_buckets_are_cumulative_and_end_at_infinity(
    client: Client, raisin: Endpoint, scrape: Scrape
) -> None:
    for seconds in (0.0004, 0.0005, 0.003, 9.0):
        metrics.answered(Asked("raisin", 1, "native"), seconds=seconds, rows=1)
    name = "raisin_inference_duration_seconds_bucket{endpoint=raisin,le=%s,version=1}"
    found = scrape()
    counts = [found[name % le] for le in ("0.0005", "0.0025", "0.005", "2.5", "+Inf")]
    assert counts == [2, 2, 3, 3, 4]


def test_the_duration_holds_the_commit_of_the_log(
    client: Client, raisin: Endpoint, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = request_log.write

    def slowly(*arguments: Any) -> None:
        time.sleep(0.05)
        write(*arguments)

    monkeypatch.setattr(request_log, "write", slowly)
    ask(client, PREDICT, ROW)
    assert scrape()["raisin_inference_duration_seconds_sum{endpoint=raisin,version=1}"] > 0.05


@pytest.mark.parametrize(
    ("protocol", "path", "body", "code", "reason"),
    [
        ("native", PREDICT, {"rows": [[1, 2]]}, 422, "validation"),
        ("open_inference", INFER, {"inputs": [TENSOR | {"shape": [1, 8]}]}, 400, "validation"),
        ("native", PREDICT, {"rows": [ROW] * 1_001}, 413, "limit"),
        ("native", f"{PREDICT}?version=9", ROW, 404, "validation"),
        ("mlflow", "/e/raisin/invocations", {"instances": []}, 400, "validation"),
    ],
)
@pytest.mark.usefixtures("raisin")
def test_it_counts_what_was_refused_as_the_caller_saw_it(
    scrape: Scrape, protocol: str, path: str, body: object, code: int, reason: str
) -> None:
    assert ask(Client(), path, body) == code
    found = scrape()
    labels = f"code={code},endpoint=raisin,protocol={protocol},version=1"
    assert found[f"raisin_inference_requests_total{{{labels}}}"] == 1
    assert found[f"raisin_inference_errors_total{{endpoint=raisin,reason={reason}}}"] == 1


def test_it_counts_who_may_not_ask(client: Client, raisin: Endpoint, scrape: Scrape) -> None:
    Endpoint.objects.update(public_predictions=False)
    assert ask(client, PREDICT, ROW) == 401
    assert ask(client, INFER, {"inputs": [TENSOR]}, Authorization="Bearer wrong") == 401
    assert scrape()["raisin_inference_errors_total{endpoint=raisin,reason=auth}"] == 2


def test_it_counts_a_model_that_does_not_answer(
    client: Client, raisin: Endpoint, scrape: Scrape
) -> None:
    Endpoint.objects.update(paused_at=cast.THEN)
    assert ask(client, PREDICT, ROW) == 503
    assert scrape()["raisin_inference_errors_total{endpoint=raisin,reason=model}"] == 1


class FullDisk:
    def write(self, *_: object) -> None:
        raise DatabaseError("database or disk is full")


def test_it_counts_what_the_log_could_not_take(
    client: Client, raisin: Endpoint, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "count_refusal", lambda *_, **__: None)  # it needs the log, too
    with monkeypatch.context() as broken:
        broken.setattr(request_log.log(), "_tables", FullDisk())
        assert ask(client, PREDICT, ROW) == 503
    found = scrape()
    assert found["raisin_inference_errors_total{endpoint=raisin,reason=log}"] == 1
    assert found["raisin_log_rows_dropped_total"] == 1
    assert found["raisin_log_rows_written_total"] == 0


def test_it_counts_our_own_faults(
    client: Client, raisin: Endpoint, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(serving, "logged", None)
        assert ask(client, PREDICT, ROW) == ask(client, INFER, {"inputs": [TENSOR]}) == 500
    found = scrape()
    assert found["raisin_inference_errors_total{endpoint=raisin,reason=internal}"] == 2
    by_hour = RollUp.objects.filter(endpoint=raisin, seconds=Span.HOUR)
    assert sum(row.refusals["internal_error"] for row in by_hour) == 2


def test_it_counts_requests_of_a_test_by_arm(
    client: Client, raisin: Endpoint, scrape: Scrape
) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    for unit in ("user-0", "user-1", "user-2"):
        assert ask(client, PREDICT, ROW, x_unit_id=unit) == 200
    assert ask(client, f"{PREDICT}?version=2", ROW, x_unit_id="user-1") == 200
    found, counter = scrape(), "raisin_abtest_requests_total"
    assert found[f"{counter}{{arm=control,endpoint=raisin,test={test.pk}}}"] == 2
    assert found[f"{counter}{{arm=challenger,endpoint=raisin,test={test.pk}}}"] == 1


def test_it_tells_of_a_test_that_is_left_out(raisin: Endpoint, scrape: Scrape) -> None:
    gauge = "raisin_abtest_left_out{endpoint=raisin}"
    test = trial.running_test(raisin, raisin.versions.get(number=2))
    assert scrape()[gauge] == 0
    ABArm.objects.filter(phase__test=test).update(version=test.challenger)
    assert scrape()[gauge] == 1


def test_nobody_makes_new_labels(client: Client, raisin: Endpoint, scrape: Scrape) -> None:
    for slug in ("nothing", "x" * 60):
        assert ask(client, f"/api/v1/{slug}/predict", ROW) == 404
        assert ask(client, f"/v2/models/{slug}/infer", {"inputs": [TENSOR]}) == 404
    assert {name for name in scrape() if "nothing" in name or "xxx" in name} == set()


def test_it_counts_labels(client: Client, raisin: Endpoint, scrape: Scrape) -> None:
    feedback = f"/api/v1/requests/{cast.prediction(raisin).request_id}/feedback"
    for label in ("Besni", "Besni", "Kecimen"):
        ask(client, feedback, {"label": label})
    found = scrape()
    results = [
        found[f"raisin_feedback_total{{endpoint=raisin,result={result}}}"]
        for result in ("recorded", "unchanged", "corrected")
    ]
    assert results == [1, 1, 1]


def test_it_names_the_model_that_answers(
    raisin: Endpoint, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endpoints.services.snapshots.models", ModelCache(4))
    before = time.time()
    found = scrape()
    sha256 = raisin.versions.get(number=1).artifact_sha256
    assert found[f"raisin_model_info{{endpoint=raisin,sha256={sha256},version=1}}"] == 1
    loaded = found["raisin_model_load_timestamp_seconds{endpoint=raisin,version=1}"]
    assert before <= loaded <= time.time()
    assert found["raisin_model_unusable{endpoint=raisin}"] == 0


def test_it_tells_of_a_promoted_model_that_cannot_be_used(
    raisin: Endpoint, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = raisin.versions.get(number=2)
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN, reason=cast.REASON)
    lifecycle.promote(version=newest, decision=decision)
    monkeypatch.setattr("endpoints.services.snapshots.models", ModelCache(4))
    cast.folder_of(newest.run).rename(cast.folder_of(newest.run).with_name("away"))
    found = scrape()
    assert found["raisin_model_unusable{endpoint=raisin}"] == 1
    assert [name for name in found if name.startswith("raisin_model_info")] == [
        written("raisin_model_info", {"endpoint": "raisin", "version": "1", "sha256": sha(raisin)})
    ]


def sha(raisin: Endpoint) -> str:
    return raisin.versions.get(number=1).artifact_sha256


def test_a_key_sees_what_it_may_read(client: Client, raisin: Endpoint, dev: User) -> None:
    for slug in ("grape", "secret"):
        cast.registered_version(cast.an_endpoint(slug), status="production")
        ask(client, f"/api/v1/{slug}/predict", ROW)
        metrics.tested(TakenPart(slug, 1, "control"))
    Endpoint.objects.filter(slug="secret").update(members_only=True)
    ask(client, PREDICT, ROW)

    def slugs(**facts: Any) -> set[str]:
        key = cast.new_key(dev, scopes=["read"], **facts)[1]
        response = client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
        return {
            sample.labels["endpoint"]
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            if "endpoint" in sample.labels
        }

    assert slugs() == {"raisin", "grape"}
    assert slugs(endpoint=raisin) == {"raisin"}


@pytest.mark.parametrize(("scopes", "status"), [(["predict"], 403), (["read"], 200)])
def test_a_key_needs_the_scope_read(
    client: Client, dev: User, scopes: list[str], status: int
) -> None:
    key = cast.new_key(dev, scopes=scopes)[1]
    response = client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == status


@pytest.mark.django_db
def test_it_is_closed_to_the_unknown_unless_the_setting_opens_it(
    client: Client, settings: Any
) -> None:
    assert client.get("/metrics").status_code == 401
    settings.RAISIN_METRICS_PUBLIC = True
    response = client.get("/metrics", headers={"Host": "10.1.2.3:8000"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    assert response["Cache-Control"] == "no-store"
    assert client.post("/metrics").status_code == 405


@pytest.mark.django_db
def test_it_speaks_openmetrics_where_asked(client: Client, settings: Any) -> None:
    settings.RAISIN_METRICS_PUBLIC = True
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert response["Content-Type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_threads_lose_no_count() -> None:
    counted, asked = Metrics(), Asked("raisin", 1, "native")

    def count() -> None:
        for _ in range(5_000):
            counted.answered(asked, seconds=0.001, rows=2)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(count)
    measured = counted.read().answered[asked]
    assert (measured.total, measured.rows) == (20_000, 40_000)
    assert measured.seconds == pytest.approx(20.0)


@pytest.mark.django_db
def test_every_metric_is_documented(settings: Any) -> None:
    docs = (settings.BASE_DIR / "docs" / "operations.md").read_text()
    names = {
        family.name
        for family in page.Collected(page.EVERYBODY).collect()
        if "raisin" in family.name
    }
    assert len(names) == 19
    assert {name for name in names if name not in docs} == set()
