"""What was counted of the traffic adds up to what the log holds, whoever wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from endpoints.errors import InvalidRows
from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import feedback, histograms, serving, traffic
from endpoints.services.periods import LAST_DAY, PERIODS
from endpoints.services.traffic import Totals
from tests import cast

NOON = datetime(2026, 11, 20, 12, 10, tzinfo=UTC)
SOON = NOON + timedelta(minutes=1)


def labelled(endpoint: Endpoint, at: datetime, *, right: bool, source: str = "api") -> None:
    answer = cast.prediction(endpoint, now=at, source=source)
    request = PredictionRequest.objects.get(pk=answer.request_id)
    classes = answer.classifier.classes
    label = request.label if right else next(name for name in classes if name != request.label)
    feedback.record(request=request, label=label, row=0, actor=cast.SYSTEM, now=at)


def in_a_day(endpoint: Endpoint) -> Totals:
    return traffic.traffic(endpoint, period=LAST_DAY, now=SOON).totals


def test_it_works(raisin: Endpoint) -> None:
    for minutes, right in ((5, True), (70, True), (130, False), (60 * 30, True)):
        labelled(raisin, NOON - timedelta(minutes=minutes), right=right)
    cast.prediction(raisin, rows=[cast.ROW] * 3, now=NOON - timedelta(minutes=6))
    found = traffic.traffic(raisin, period=LAST_DAY, now=NOON)
    totals = found.totals
    assert (totals.requests, totals.labels, totals.accuracy) == (4, 3, 2 / 3)
    assert sum(totals.histogram) == 6
    assert len(found.starts) == len(found.bars) == 24
    assert [bar.requests for bar in found.bars[-3:]] == [1, 1, 2]
    assert [bar.labels for bar in found.bars[-3:]] == [1, 1, 1]
    assert totals.positive_rate in (0.0, 1.0)


@pytest.mark.parametrize("code", PERIODS)
def test_every_period_ends_with_what_is_new(raisin: Endpoint, code: str) -> None:
    cast.prediction(raisin, now=NOON)
    cast.prediction(raisin, now=NOON - PERIODS[code].length - PERIODS[code].bar)
    found = traffic.traffic(raisin, period=PERIODS[code], now=SOON)
    assert (found.totals.requests, found.bars[-1].requests) == (1, 1)


def test_a_day_is_counted_alike_everywhere(raisin: Endpoint) -> None:
    """It begins with a full hour: at 12:10 that is the 13:00 of yesterday."""
    for hours in (24, 23.5, 23, 1):
        cast.prediction(raisin, now=NOON - timedelta(hours=hours))
    told = traffic.requests_of_a_day(raisin, now=NOON)
    pulse = traffic.pulses([raisin], now=NOON)[raisin.pk]
    assert told == pulse.totals.requests == sum(pulse.hours) == 2
    assert told == traffic.traffic(raisin, period=LAST_DAY, now=NOON).totals.requests


def test_a_quiet_endpoint_has_a_pulse_without_numbers(raisin: Endpoint) -> None:
    quiet = cast.an_endpoint("quiet")
    cast.prediction(raisin, now=NOON)
    pulse = traffic.pulses([raisin, quiet], now=SOON)[quiet.pk]
    assert (pulse.totals.requests, pulse.totals.p50_ms, pulse.totals.refused_share) == (
        0,
        None,
        None,
    )
    assert pulse.hours == (0,) * 24


def test_what_was_tried_by_hand_is_counted_but_judges_nothing(raisin: Endpoint) -> None:
    labelled(raisin, NOON, right=True, source="try")
    found = in_a_day(raisin)
    assert (found.requests, found.labels, found.p50_ms) == (1, 0, None)
    assert (found.positive_rate, sum(found.histogram)) == (None, 0)


def test_versions_share_the_traffic(raisin: Endpoint) -> None:
    for asked in ({}, {}, {"version": 2}):
        cast.prediction(raisin, now=NOON, **asked)
    found = traffic.traffic(raisin, period=PERIODS["1h"], now=SOON)
    assert [(v.number, v.totals.requests, round(v.share, 3)) for v in found.versions] == [
        (2, 1, 0.333),
        (1, 2, 0.667),
    ]
    assert traffic.requests_ever(raisin.versions.get(number=1)) == 2


def test_writers_are_added_up(raisin: Endpoint) -> None:
    one = PredictionRequest.objects.get(pk=cast.prediction(raisin, now=NOON).request_id)
    cast.copies(one, [NOON] * 3, latency_us=100_000)  # each call has a writer of its own
    cast.copies(one, [NOON] * 6, latency_us=1_000)
    found = in_a_day(raisin)
    assert found.requests == sum(found.latencies.values()) == 10
    assert found.latencies[histograms.latency_bucket(100_000)] == 3
    assert (found.p50_ms or 9) <= 1
    assert (found.p95_ms or 0) > 80


def test_refusals_are_counted_by_code(raisin: Endpoint) -> None:
    cast.prediction(raisin, now=NOON)
    for _ in range(3):
        serving.count_refusal("raisin", InvalidRows("no"), now=NOON)
    found = in_a_day(raisin)
    assert (found.requests, found.refused, found.refused_share) == (1, 3, 0.75)
    assert found.refusals == {"invalid_rows": 3}


def test_who_only_refused_is_not_among_the_versions(raisin: Endpoint) -> None:
    serving.count_refusal("raisin", InvalidRows("no"), now=NOON)
    assert traffic.traffic(raisin, period=LAST_DAY, now=SOON).versions == ()
