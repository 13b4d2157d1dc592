"""The gauges of drift and accuracy: the newest day of the version in production, read now and then."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from endpoints.models import DriftReport, Endpoint, FeatureDrift, Monitor
from endpoints.services import feedback
from endpoints.services.monitoring import gauges, reports, tick
from tests import cast
from tests.endpoints.services.clock import Clock
from tests.endpoints.services.monitoring.traffic import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    at,
    every,
    log,
    one_by_one,
    shifted,
    training_rows,
)

pytestmark = pytest.mark.django_db
GAUGES = (
    "raisin_drift_score",
    "raisin_features_drifted",
    "raisin_estimated_accuracy",
    "raisin_accuracy",
    "raisin_feature_effect",
)
LABELS = ("endpoint", "version", "feature")


@pytest.fixture
def watched(raisin: Endpoint) -> Endpoint:
    """A day without drift, then one with it and with sixty labels, two of three of them as predicted."""
    log(raisin, one_by_one(training_rows(60)), every(SECOND, 60))
    drifted = one_by_one(shifted(training_rows(60)))
    ids = log(raisin, drifted, every(SECOND, 60, since=NOON + DAY))
    for place, request in enumerate(raisin.requests.filter(pk__in=ids)):
        said = request.label
        label = said if place % 3 else {"Besni": "Kecimen", "Kecimen": "Besni"}[said]
        feedback.record(
            request=request, row=0, label=label, actor=cast.SYSTEM, now=NOON + DAY + HOUR
        )
    tick.tick(raisin, at(NOON + DAY + HOUR))
    return raisin


def scraped(client: Client, key: str) -> dict[str, dict[tuple[str, ...], float]]:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == 200
    families = {f.name: f for f in text_string_to_metric_families(response.text)}
    return {name: {labels_of(s): s.value for s in families[name].samples} for name in GAUGES}


def labels_of(sample: Any) -> tuple[str, ...]:
    return tuple(sample.labels[name] for name in LABELS if name in sample.labels)


def test_it_works(client: Client, watched: Endpoint, dev_key: str) -> None:
    found = scraped(client, dev_key)
    place = ("raisin", "1")
    assert found["raisin_features_drifted"] == {place: 1}
    assert found["raisin_accuracy"] == {place: pytest.approx(2 / 3)}
    assert 0.5 < found["raisin_estimated_accuracy"][place] <= 1
    assert found["raisin_drift_score"][place] > 0.1
    effects = {labels[2]: value for labels, value in found["raisin_feature_effect"].items()}
    assert set(effects) == set(cast.ROW)
    assert max(effects, key=effects.__getitem__) == "Area"


def test_one_row_on_a_new_day_changes_nothing(
    client: Client, watched: Endpoint, dev_key: str
) -> None:
    before = scraped(client, dev_key)
    log(watched, [training_rows(1)], [NOON + 2 * DAY])
    tick.tick(watched, at(NOON + 2 * DAY + HOUR))
    assert DriftReport.objects.filter(window="day", n_rows=1).exists()
    assert scraped(client, dev_key) == before


def test_few_rows_tell_nothing(client: Client, watched: Endpoint, dev_key: str) -> None:
    Monitor.objects.update(min_rows=61)
    assert scraped(client, dev_key) == {name: {} for name in GAUGES}


def test_a_feature_with_few_values_is_left_out(
    client: Client, watched: Endpoint, dev_key: str
) -> None:
    FeatureDrift.objects.filter(name="Extent").update(verdict="insufficient_data")
    effects = scraped(client, dev_key)["raisin_feature_effect"]
    assert {labels[2] for labels in effects} == set(cast.ROW) - {"Extent"}


def test_without_traffic_there_is_nothing(client: Client, raisin: Endpoint, dev_key: str) -> None:
    assert scraped(client, dev_key) == {name: {} for name in GAUGES}


def test_a_key_of_another_endpoint_sees_nothing(
    client: Client, watched: Endpoint, dev: User
) -> None:
    _, elsewhere = cast.new_key(dev, endpoint=cast.an_endpoint("elsewhere"))
    assert scraped(client, elsewhere) == {name: {} for name in GAUGES}


def test_they_are_read_every_fifteen_seconds(
    watched: Endpoint, settings: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.RAISIN_REFRESH_SECONDS = 1.0
    clock = Clock()
    found = gauges.Gauges(clock)
    with django_assert_num_queries(3):
        [today] = found.read()
    clock.now += 14.9
    with django_assert_num_queries(0):
        assert found.read() == [today]
    clock.now += 0.2
    with django_assert_num_queries(3):
        found.read()


def test_a_database_that_is_away_leaves_the_counters(
    client: Client, raisin: Endpoint, dev_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(reports, "todays", away)
    assert scraped(client, dev_key) == {name: {} for name in GAUGES}
