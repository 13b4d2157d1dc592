"""Three classes all the way: trained, registered, answered, logged, labelled, watched and compared."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from rest_framework.test import APIClient

from endpoints.errors import GateFailed
from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest
from endpoints.services import feedback as labels
from endpoints.services import gates, histograms, lifecycle, traffic
from endpoints.services.gates.question import other_classes
from endpoints.services.periods import LAST_DAY
from tests import cast
from tests.cast import ROW
from tests.endpoints import grains
from tests.endpoints.api.client import post, problem_in
from tests.endpoints.services.decisions import decision

pytestmark = pytest.mark.django_db
PREDICT = "/api/v1/grains/predict"
BESNI = ROW | {"Area": 150_000, "Perimeter": 1_500.0, "MajorAxisLength": 560.0}


@pytest.fixture
def endpoint() -> Endpoint:
    return grains.endpoint()


def feedback(api: APIClient, request_id: str, body: Any) -> Any:
    return post(api, f"/api/v1/requests/{request_id}/feedback", body)


def test_it_works(api: APIClient, endpoint: Endpoint) -> None:
    answer = post(api, PREDICT, ROW).json()
    assert list(answer["probabilities"]) == list(answer["scores"]) == list(grains.CLASSES)
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0, abs=1e-12)
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["prediction"] == grains.CLASSES.index(answer["label"])
    assert answer["threshold"] is None
    assert not {"probability", "logit", "contributions"} & set(answer)


def test_many_rows_are_answered_as_each_alone(api: APIClient, endpoint: Endpoint) -> None:
    rows = [ROW, BESNI, ROW | {"Eccentricity": 0.4}]
    answer = post(api, PREDICT, {"rows": rows}).json()
    alone = [post(api, PREDICT, row).json() for row in rows]
    for plural, name in (
        ("predictions", "prediction"),
        ("labels", "label"),
        ("probabilities", "probabilities"),
        ("scores", "scores"),
    ):
        assert answer[plural] == [one[name] for one in alone], name
    assert len(set(answer["labels"])) > 1


def test_every_class_is_explained(api: APIClient, endpoint: Endpoint) -> None:
    answer = post(api, f"{PREDICT}?explain=1", ROW).json()
    assert answer["unit"] == "log_odds"
    for name in grains.CLASSES:
        parts = answer["contributions"][name]
        assert list(parts) == list(ROW)
        total = answer["base"][name] + sum(parts.values())
        assert total == pytest.approx(answer["scores"][name], abs=1e-9)


def test_the_log_keeps_every_probability(api: APIClient, endpoint: Endpoint) -> None:
    answer = post(api, PREDICT, ROW).json()
    logged = PredictionRequest.objects.get(pk=answer["request_id"])
    assert logged.probabilities == [list(answer["probabilities"].values())]
    assert logged.predictions == [answer["prediction"]]
    assert logged.probability == max(answer["probabilities"].values()) == logged.probability_of(0)
    assert (logged.label, logged.threshold) == (answer["label"], None)
    assert logged.inputs == [[float(value) for value in ROW.values()]]


def test_many_rows_are_logged_in_order(api: APIClient, endpoint: Endpoint) -> None:
    answer = post(api, PREDICT, {"rows": [ROW, BESNI]}).json()
    logged = PredictionRequest.objects.get(pk=answer["request_id"])
    assert logged.probabilities == [list(p.values()) for p in answer["probabilities"]]
    assert (logged.probability, logged.label) == (None, "")


def test_any_class_may_be_the_true_label(api: APIClient, endpoint: Endpoint) -> None:
    predicted = post(api, PREDICT, ROW).json()
    for label, name in [(0, "Besni"), ("Rumi", "Rumi"), (1, "Kecimen")]:
        answer = feedback(api, predicted["request_id"], {"label": label}).json()
        assert (answer["label"], answer["correct"]) == (name, name == predicted["label"])


@pytest.mark.parametrize("label", [3, -1, "besni"])
def test_a_label_that_is_no_class_is_refused(
    api: APIClient, endpoint: Endpoint, label: str | int
) -> None:
    request_id = post(api, PREDICT, ROW).json()["request_id"]
    answer = feedback(api, request_id, {"label": label})
    problem = problem_in(answer, 400, "invalid_request")
    assert problem["error"].endswith("is not a label; use one of Besni, Kecimen, Rumi.")


def test_traffic_counts_the_right_answers(endpoint: Endpoint) -> None:
    entry = cast.prediction(endpoint, rows=[ROW, BESNI])
    logged = PredictionRequest.objects.get(pk=entry.request_id)
    for row, name in enumerate(("Rumi", entry.rows[1].label)):
        labels.record(request=logged, label=name, row=row, actor=cast.SYSTEM, now=cast.THEN)
    counted = traffic.traffic(endpoint, period=LAST_DAY, now=cast.THEN + timedelta(hours=1))
    found = counted.totals
    assert (found.labels, found.positive_rate) == (2, None)
    assert found.accuracy == (2 if entry.rows[0].label == "Rumi" else 1) / 2
    bins = [histograms.score_bin(max(row.probabilities)) for row in entry.rows]
    assert found.scores == Counter(bins)


def test_the_version_names_its_classes(api: APIClient, endpoint: Endpoint, dev_key: str) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {dev_key}")
    shown = api.get("/api/v1/endpoints/grains/versions/1").json()
    assert shown["classes"] == list(grains.CLASSES)
    assert shown["threshold"] is None
    assert 0 < shown["metrics"]["validation"]["accuracy"] <= 1


def test_a_version_without_a_threshold_is_valid(endpoint: Endpoint) -> None:
    version = endpoint.versions.get()
    version.full_clean()
    version.threshold = 1.5
    with pytest.raises(ValidationError):
        version.full_clean()


def verdicts(version: AlgorithmVersion) -> dict[str, tuple[str, str]]:
    return {
        gate.name: (gate.verdict, gate.message)
        for gate in gates.evaluate(version, actor=cast.SYSTEM, now=cast.THEN)
    }


def test_a_better_version_takes_over(endpoint: Endpoint) -> None:
    candidate = grains.version(endpoint, status="staging", lambda_=0.001)
    found = {
        gate.code: gate for gate in gates.evaluate(candidate, actor=cast.SYSTEM, now=cast.THEN)
    }
    assert {found[code].verdict for code in ("smoke", "schema", "metric")} == {"pass"}
    assert "3 classes: Besni, Kecimen, Rumi" in found["schema"].value
    lifecycle.promote(version=candidate, decision=decision())


def test_a_worse_one_does_not(endpoint: Endpoint) -> None:
    candidate = grains.version(endpoint, status="staging", lambda_=3.0)
    assert verdicts(candidate)["Validation metric"][0] == "fail"
    with pytest.raises(GateFailed, match="is worse than v1 on log loss"):
        lifecycle.promote(version=candidate, decision=decision())


def test_callers_are_kept_from_other_classes(endpoint: Endpoint) -> None:
    other = grains.version(
        endpoint, status="testing", table=grains.three_classes(("Antep", "Kecimen", "Rumi"))
    )
    found = verdicts(other)
    assert found["Schema and classes"][0] == "fail"
    assert (
        "one of Antep, Kecimen, Rumi instead of Besni, Kecimen, Rumi"
        in (found["Schema and classes"][1])
    )
    assert found["Validation metric"] == (
        "not_run", "The two versions answer with different classes.",
    )  # fmt: skip


def test_callers_are_kept_from_other_numbers_of_the_same_classes() -> None:
    assert other_classes(("a", "c", "b"), ("a", "b", "c")) == [
        "class numbers would mean a, c, b instead of a, b, c"
    ]


def test_two_classes_do_not_follow_three(endpoint: Endpoint) -> None:
    two = cast.registered_version(endpoint)
    verdict, message = verdicts(two)["Schema and classes"]
    assert verdict == "fail"
    assert "one of Kecimen, Besni instead of Besni, Kecimen, Rumi" in message
