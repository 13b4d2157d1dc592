"""What a version was worth by windows of time: from the counts of labels, and from the reports of drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from endpoints.models import AlgorithmVersion, DriftReport, Endpoint, PredictionRequest
from endpoints.models.monitoring import Verdict
from endpoints.models.prediction import Source
from endpoints.services import artifacts, feedback
from endpoints.services.monitoring import performance
from endpoints.services.monitoring.performance import Cells, PerformanceWindow
from mlcore.metrics import Confusion
from mlcore.realised import realised_metrics
from tests import cast
from tests.endpoints import grains

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
ESTIMATES = {"accuracy": {"value": 0.8, "standard_error": 0.02, "low": 0.74, "high": 0.86}}


@pytest.fixture
def version(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.select_related("endpoint").get(number=1)


def asked(
    endpoint: Endpoint, at: datetime, *, label: str = "", delay: timedelta = HOUR, **facts: Any
) -> str:
    """Log a prediction, with a true label where one is given, and return the predicted class."""
    answer = cast.prediction(endpoint, now=at, **facts)
    if label:
        request = PredictionRequest.objects.get(pk=answer.request_id)
        feedback.record(request=request, label=label, row=0, actor=cast.SYSTEM, now=at + delay)
    return answer.labels[0]


def report(version: AlgorithmVersion, window: str, start: datetime, estimates: Any) -> None:
    DriftReport.objects.create(
        version=version, window=window, start=start, end=start + DAY, n_rows=9, features=7,
        drifted=0, possible=0, verdict=Verdict.NO_DRIFT, estimates=estimates, computed_at=start,
    )  # fmt: skip


def days(version: AlgorithmVersion, count: int) -> tuple[PerformanceWindow, ...]:
    return performance.series(version, "day", MONDAY, MONDAY + count * DAY)


def test_it_works(version: AlgorithmVersion) -> None:
    endpoint = version.endpoint
    predicted = asked(endpoint, MONDAY + 9 * HOUR, label="Besni")
    for hour in (9, 10, 23):
        asked(endpoint, MONDAY + hour * HOUR, label="Kecimen")
    asked(endpoint, MONDAY + 23 * HOUR, rows=[cast.ROW] * 4)
    report(version, "day", MONDAY, ESTIMATES)
    [monday] = days(version, 1)
    assert (monday.start, monday.end) == (MONDAY, MONDAY + DAY)
    assert (monday.rows, monday.labels, monday.coverage) == (8, 4, 0.5)
    at_positive = predicted == "Besni"
    counts = Confusion(tn=0, fp=3, fn=0, tp=1) if at_positive else Confusion(tn=3, fp=0, fn=1, tp=0)
    assert monday.realised == realised_metrics(counts)
    assert monday.estimated == ESTIMATES


def test_what_nothing_tells_is_none(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY + DAY)
    report(version, "day", MONDAY + DAY, None)
    first, second, third = days(version, 3)
    assert (first.rows, first.coverage, first.realised, first.estimated) == (0, None, None, None)
    assert (second.rows, second.coverage, second.realised, second.estimated) == (1, 0.0, None, None)
    assert (third.start, third.rows) == (MONDAY + 2 * DAY, 0)


@pytest.mark.parametrize(
    ("window", "since", "starts"),
    [
        ("hour", MONDAY + 9.5 * HOUR, [MONDAY + 9 * HOUR, MONDAY + 10 * HOUR]),
        ("day", MONDAY - HOUR, [MONDAY - DAY, MONDAY]),
        ("week", MONDAY - HOUR, [MONDAY - WEEK, MONDAY]),
        ("week", MONDAY, [MONDAY]),
        ("day", MONDAY + DAY, []),
    ],
)
def test_windows_are_whole_hours_days_and_weeks(
    version: AlgorithmVersion, window: str, since: datetime, starts: list[datetime]
) -> None:
    for moment in (
        MONDAY - timedelta(seconds=1),
        MONDAY,
        MONDAY + 10.99 * HOUR,
        MONDAY + 11 * HOUR,
    ):
        asked(version.endpoint, moment, label="Besni")
    found = performance.series(version, window, since, MONDAY + 11 * HOUR)
    assert [window.start for window in found] == starts
    rows = {MONDAY - DAY: 1, MONDAY - WEEK: 1, MONDAY: 3, MONDAY + 10 * HOUR: 1}
    expected = [rows.get(start, 0) for start in starts]
    assert [w.rows for w in found] == [w.labels for w in found] == expected


def test_a_label_counts_where_its_prediction_was(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY, label="Besni", delay=3 * DAY)
    assert [window.labels for window in days(version, 5)] == [1, 0, 0, 0, 0]


def test_versions_are_told_apart(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY, label="Besni", version=2)
    report(version.endpoint.versions.get(number=2), "day", MONDAY, ESTIMATES)
    [monday] = days(version, 1)
    assert (monday.rows, monday.labels, monday.estimated) == (0, 0, None)


def test_reports_of_other_windows_are_not_taken(version: AlgorithmVersion) -> None:
    for window in ("hour", "week", "rows"):
        report(version, window, MONDAY, ESTIMATES)
    assert days(version, 1)[0].estimated is None


def test_the_newest_windows_end_with_the_open_one(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY + 10 * DAY)
    now = MONDAY + 10 * DAY + 2 * HOUR
    for window, start in (
        ("hour", now - 2 * HOUR),
        ("day", now - 2 * HOUR),
        ("week", MONDAY + WEEK),
    ):
        found = performance.newest(version, window, 3, now + timedelta(seconds=1))
        assert len(found) == 3
        assert [window.start for window in found if window.rows] == [start]
        assert found[-1].start <= now < found[-1].end


def test_windows_by_count_have_estimates_alone(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY, label="Besni")
    for day in range(3):
        report(version, "rows", MONDAY + day * DAY, ESTIMATES)
    report(version.endpoint.versions.get(number=2), "rows", MONDAY, ESTIMATES)
    older, newer = performance.newest(version, "rows", 2, MONDAY)
    assert (older.start, newer.start, newer.end) == (
        MONDAY + DAY,
        MONDAY + 2 * DAY,
        MONDAY + 3 * DAY,
    )
    assert (newer.rows, newer.labels, newer.coverage, newer.realised) == (9, None, None, None)
    assert newer.estimated == ESTIMATES


def test_many_windows_take_as_many_queries_as_one(
    version: AlgorithmVersion, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for day in range(5):
        asked(version.endpoint, MONDAY + day * DAY, label="Besni")
    for count in (1, 60):
        with django_assert_num_queries(4):
            days(version, count)


def test_three_classes_have_accuracy_alone(db: None) -> None:
    endpoint = grains.endpoint()
    version = endpoint.versions.select_related("endpoint").get()
    predicted = asked(endpoint, MONDAY)
    for label in (predicted, *grains.CLASSES):
        asked(endpoint, MONDAY, label=label)
    realised = days(version, 1)[0].realised
    assert realised is not None
    assert [(metric.name, metric.value) for metric in realised.values()] == [("accuracy", 0.5)]


def test_true_classes_are_held_against_those_of_the_training(version: AlgorithmVersion) -> None:
    for label, count in (("Besni", 50), ("Kecimen", 10)):
        for _ in range(count):
            asked(version.endpoint, MONDAY, label=label)
    for number in range(60):
        asked(version.endpoint, MONDAY + DAY, label=("Besni", "Kecimen")[number % 2])
    asked(version.endpoint, MONDAY + 2 * DAY, label="Besni")
    verdicts = [found.label_drift and found.label_drift.verdict for found in days(version, 4)]
    assert verdicts == ["drift", "no_drift", "insufficient_data", None]


def test_without_the_artefact_there_is_accuracy_alone(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY, label="Besni")
    (artifacts.folder(version) / "weights.npz").write_bytes(b"broken")
    lost = AlgorithmVersion.objects.get(pk=version.pk)
    lost.artifact_sha256 = "0" * 64
    realised = days(lost, 1)[0].realised
    assert realised is not None
    assert realised.keys() == {"accuracy"}
    assert performance.reference(lost) is None
    assert days(lost, 1)[0].label_drift is None


def test_the_positive_class_is_the_second() -> None:
    cells: Cells = Cells({("a", "a"): 5, ("b", "a"): 1, ("a", "b"): 2, ("b", "b"): 4})
    found = performance.realised(cells, ("a", "b"))
    assert found == realised_metrics(Confusion(tn=5, fp=1, fn=2, tp=4))
    assert found["recall"].value == 4 / 6


def test_how_long_labels_take(version: AlgorithmVersion) -> None:
    assert performance.delay(version) is None
    for hours in range(1, 12):
        asked(version.endpoint, MONDAY, label="Besni", delay=hours * HOUR)
    asked(version.endpoint, MONDAY, label="Besni", delay=90 * DAY, version=2)
    asked(version.endpoint, MONDAY, label="Besni", delay=90 * DAY, source=Source.TRY)
    found = performance.delay(version)
    assert found == performance.Delay(11, 6 * HOUR, 10 * HOUR)


def test_a_corrected_label_took_until_the_correction(version: AlgorithmVersion) -> None:
    asked(version.endpoint, MONDAY, label="Besni")
    request = PredictionRequest.objects.get()
    feedback.record(
        request=request, label="Kecimen", row=0, actor=cast.SYSTEM, now=MONDAY + 5 * HOUR
    )
    assert performance.delay(version) == performance.Delay(1, 5 * HOUR, 5 * HOUR)


def test_the_newest_labels_tell_the_delay(
    version: AlgorithmVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performance, "NEWEST_LABELS", 2)
    for hours in (9, 1, 3):
        asked(version.endpoint, MONDAY, label="Besni", delay=hours * HOUR)
    found = performance.delay(version)
    assert found is not None
    assert (found.labels, found.median) == (2, 2 * HOUR)


def test_who_had_no_labels_lately_has_no_delay(
    version: AlgorithmVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performance, "LABELS_LOOKED_AT", 2)
    asked(version.endpoint, MONDAY, label="Besni")
    for _ in range(2):
        asked(version.endpoint, MONDAY, label="Besni", version=2)
    assert performance.delay(version) is None


def test_the_reference_is_that_of_the_artefact(version: AlgorithmVersion) -> None:
    found = performance.reference(version)
    kept = artifacts.load(version).profile.performance
    assert found is not None
    assert kept is not None
    assert (found.rows, found.threshold) == (kept.n, kept.threshold)
    assert found.metrics == kept.metrics
    assert found.metrics["accuracy"] > 0.7
