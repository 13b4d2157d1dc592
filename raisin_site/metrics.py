"""GET /metrics: what this process has counted, in the text that Prometheus and its kin read.

It decides nothing and counts nothing. A key sees the endpoints that it may read; nobody sees names of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from types import MappingProxyType
from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from endpoints.models import FeatureDrift
from endpoints.models.monitoring import Verdict
from endpoints.protocols.view import protocol
from endpoints.services import access, request_log
from endpoints.services.access import Caller, Need
from endpoints.services.metrics import DURATIONS, Measured, Reading, metrics, together
from endpoints.services.monitoring.gauges import gauges
from endpoints.services.monitoring.reports import Today
from endpoints.services.snapshots import Served, snapshots

EVERYBODY = Caller(system="metrics")
PLACE = ("endpoint", "version")
OF_A_DAY = MappingProxyType(
    {
        "raisin_drift_score": "mean absolute shift of the numbers, in sd",
        "raisin_features_drifted": "features in drift",
        "raisin_estimated_accuracy": "accuracy, estimated without labels",
        "raisin_accuracy": "accuracy of the rows that have a label",
    }
)

T = TypeVar("T")


@protocol("GET")
def page(request: HttpRequest, caller: Caller) -> HttpResponse:
    if settings.RAISIN_METRICS_PUBLIC:
        caller = EVERYBODY
    access.require(caller, Need.READ)
    encode, content_type = choose_encoder(request.META.get("HTTP_ACCEPT", ""))
    response = HttpResponse(encode(Collected(caller)), content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    return response


class Collected:
    """All metrics at one moment, as the library's encoders want them."""

    def __init__(self, caller: Caller) -> None:
        self._served = {
            slug: served
            for slug, served in snapshots.all().items()
            if caller.may(Need.READ, served.endpoint)
        }

    def collect(self) -> Iterator[Metric]:
        reading = _only(self._served, metrics.read())
        return chain(
            _requests(reading),
            _errors(reading),
            _tests(self._served, reading),
            _log(reading),
            _labels(reading),
            _models(self._served, reading),
            _drift([today for today in gauges.read() if _slug(today) in self._served]),
            ProcessCollector(registry=None).collect(),
        )


def _only(served: Mapping[str, Served], reading: Reading) -> Reading:
    """Leave out what is counted of endpoints that the caller does not see, or that are gone."""
    return reading._replace(
        answered={key: value for key, value in reading.answered.items() if key.endpoint in served},
        refused={key: value for key, value in reading.refused.items() if key.endpoint in served},
        tested={key: value for key, value in reading.tested.items() if key.endpoint in served},
        labels={key: value for key, value in reading.labels.items() if key[0] in served},
    )


def _requests(reading: Reading) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "raisin_inference_requests",
        "Requests for predictions, by the status that they were answered with.",
        labels=(*PLACE, "protocol", "code"),
    )
    for asked, measured in reading.answered.items():
        where = (asked.endpoint, _version(asked.version), asked.protocol, "200")
        requests.add_metric(where, measured.total)
    codes = _summed(
        reading.refused, lambda key: (key.endpoint, _version(key.version), key.protocol, key.status)
    )
    for (endpoint, version, protocol_name, code), count in codes.items():
        requests.add_metric((endpoint, version, protocol_name, str(code)), count)
    yield requests
    yield from _durations(reading)


def _durations(reading: Reading) -> Iterator[Metric]:
    rows = CounterMetricFamily("raisin_inference_rows", "Rows that were predicted.", labels=PLACE)
    durations = HistogramMetricFamily(
        "raisin_inference_duration_seconds",
        "From the question to the answer, with the commit of the request log.",
        labels=PLACE,
    )
    by_version: dict[tuple[str, str], list[Measured]] = {}
    for asked, measured in reading.answered.items():
        by_version.setdefault((asked.endpoint, _version(asked.version)), []).append(measured)
    for place, parts in by_version.items():
        total = together(parts)
        rows.add_metric(place, total.rows)
        durations.add_metric(place, _buckets(total), total.seconds)
    yield rows
    yield durations


def _errors(reading: Reading) -> Iterator[Metric]:
    errors = CounterMetricFamily(
        "raisin_inference_errors",
        "Requests for predictions without an answer, by what stood in the way.",
        labels=("endpoint", "reason"),
    )
    reasons = _summed(reading.refused, lambda key: (key.endpoint, key.reason))
    for place, count in reasons.items():
        errors.add_metric(place, count)
    yield errors


def _tests(served: Mapping[str, Served], reading: Reading) -> Iterator[Metric]:
    tests = CounterMetricFamily(
        "raisin_abtest_requests",
        "Requests with a part in an A/B test, by the arm that answered.",
        labels=("endpoint", "test", "arm"),
    )
    for tested, count in reading.tested.items():
        tests.add_metric((tested.endpoint, str(tested.test), tested.arm), count)
    left_out = GaugeMetricFamily(
        "raisin_abtest_left_out",
        "1 where a running A/B test gets no requests, because one of its versions cannot answer.",
        labels=("endpoint",),
    )
    for slug, found in served.items():
        left_out.add_metric((slug,), bool(found.test_problem))
    yield from (tests, left_out)


def _log(reading: Reading) -> Iterator[Metric]:
    log = request_log.log()
    yield CounterMetricFamily(
        "raisin_log_rows_written", "Requests written to the log.", value=log.written
    )
    yield CounterMetricFamily(
        "raisin_log_rows_dropped",
        "Requests refused because the log was full or could not be written.",
        value=reading.dropped,
    )
    yield GaugeMetricFamily(
        "raisin_log_queue_depth", "Requests that wait for the log.", value=log.depth
    )
    yield HistogramMetricFamily(
        "raisin_log_flush_seconds",
        "A commit of the log, of one request or a group.",
        buckets=_buckets(reading.flushes),
        sum_value=reading.flushes.seconds,
    )


def _labels(reading: Reading) -> Iterator[Metric]:
    labels = CounterMetricFamily(
        "raisin_feedback", "True labels, by what became of them.", labels=("endpoint", "result")
    )
    for place, count in reading.labels.items():
        labels.add_metric(place, count)
    yield labels


def _models(served: Mapping[str, Served], reading: Reading) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "raisin_model_info", "The version that answers.", labels=(*PLACE, "sha256")
    )
    loaded = GaugeMetricFamily(
        "raisin_model_load_timestamp_seconds", "When this process loaded it.", labels=PLACE
    )
    unusable = GaugeMetricFamily(
        "raisin_model_unusable",
        "1 where the promoted version cannot be used; an older one may go on answering.",
        labels=("endpoint",),
    )
    for slug, found in served.items():
        if found.production is None:
            continue
        unusable.add_metric((slug,), bool(found.problem))
        if found.classifier is None:
            continue
        place, sha256 = (slug, _version(found.production.number)), found.production.artifact_sha256
        info.add_metric((*place, sha256), 1)
        if sha256 in reading.loaded:
            loaded.add_metric(place, reading.loaded[sha256])
    yield from (info, loaded, unusable)


def _drift(days: Sequence[Today]) -> Iterator[Metric]:
    """The newest day with enough rows of the version in production; what nothing tells is left out."""
    features = GaugeMetricFamily(
        "raisin_feature_effect",
        "Shift of a feature: Wasserstein distance in sd, or of a category Jensen-Shannon distance.",
        labels=(*PLACE, "feature"),
    )
    gauges_of_a_day = {
        name: GaugeMetricFamily(name, f"Of the newest day with enough rows: {about}.", labels=PLACE)
        for name, about in OF_A_DAY.items()
    }
    for today in days:
        place = (_slug(today), _version(today.report.version.number))
        for name, value in _numbers(today).items():
            if value is not None:
                gauges_of_a_day[name].add_metric(place, value)
        for column in today.report.columns.all():
            if column.kind not in FeatureDrift.INPUTS or column.verdict == Verdict.INSUFFICIENT:
                continue
            if column.effect is not None:
                features.add_metric((*place, column.name), column.effect)
    yield from gauges_of_a_day.values()
    yield features


def _numbers(today: Today) -> dict[str, float | None]:
    report = today.report
    estimated = (report.estimates or {}).get("accuracy", {}).get("value")
    numbers = (report.drift_score, report.drifted, estimated, today.accuracy)
    return dict(zip(OF_A_DAY, numbers, strict=True))


def _slug(today: Today) -> str:
    return today.report.version.endpoint.slug


def _version(number: int) -> str:
    return str(number) if number else ""


def _buckets(measured: Measured) -> list[tuple[str, int]]:
    """Cumulative, as the format has them."""
    bounds = [*map(str, DURATIONS), "+Inf"]
    return list(zip(bounds, accumulate(measured.counts), strict=True))


def _summed(counts: Mapping[T, int], group: Callable[[T], tuple]) -> dict[tuple, int]:
    total: dict[tuple, int] = {}
    for key, count in counts.items():
        total[group(key)] = total.get(group(key), 0) + count
    return total
