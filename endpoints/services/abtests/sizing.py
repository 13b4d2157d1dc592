"""How many labels a test needs, and how long the endpoint's labelled traffic takes to bring them.

It reads counts alone, no row of the log, and decides nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Min, Sum

from endpoints.errors import NoModel
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, LabelCount, RollUp
from endpoints.models.abtest import Looks, TestKind, TestMetric
from endpoints.models.roll_up import Span
from endpoints.services import snapshots
from endpoints.services.abtests.plans import goal_of, newest_phase
from endpoints.services.label_classes import classes_of
from mlcore.assignment import BUCKETS
from mlcore.errors import DataError
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters, estimate
from mlcore.sample_size import Precision, pairs_needed, rows_per_arm
from mlcore.sequential import boundary
from mlcore.special import critical_value

POWER = 0.8
DAY = timedelta(days=1)
LOOK_BACK = (timedelta(days=7), timedelta(days=30))
"""The shorter, unless it has too few labels."""
FEW_LABELS = 100
SHORTEST = timedelta(hours=1)
"""Traffic of a shorter time says nothing of a day."""

_LEAST = 1e-4
"""Of a variance: a version that is always right has not been seen."""

Cells = Counter[tuple[str, str]]
"""Rows by the predicted and the true class."""


@dataclass(frozen=True)
class Size:
    """None where nothing tells it.

    `labels_needed` are of the smaller arm, in a shadow test pairs, for a power of 80 % with looks as the
    test has them; `fixed_labels_needed` for one look at the end. `labels_per_day` are the endpoint's,
    `coverage` its share of rows with a label, `baseline` the metric of the version in production.
    """

    labels_needed: int | None = None
    fixed_labels_needed: int | None = None
    requests_needed: int | None = None
    labels_per_day: float | None = None
    days: float | None = None
    baseline: float | None = None
    coverage: float | None = None


class Rate(NamedTuple):
    """Labelled traffic of an endpoint."""

    labels_per_day: float | None
    coverage: float | None


class _Expected(NamedTuple):
    """A metric without a difference, and what one row adds to its variance."""

    value: float
    row_variance: float


def size(
    test: ABTest, endpoint: Endpoint, now: datetime, *, challenger_share: int | None = None
) -> Size:
    """Size a test, stored or not; the share is its newest phase's if none is given, else even.

    A bandit needs the most labels while its shares are even, and waits the longest while one arm is at its floor.
    """
    least = _smaller_share(test, challenger_share)
    share = 0.5 if test.kind == TestKind.BANDIT else least
    rate, expected = labelled_rate(endpoint, now), _expected(test, endpoint, now)
    if expected is None:
        return Size(labels_per_day=rate.labels_per_day, coverage=rate.coverage)
    found = Size(None, None, None, rate.labels_per_day, None, expected.value, rate.coverage)
    fixed, needed = _fixed(test, expected, share), _needed(test, expected, share)
    if fixed is None or needed is None:
        return found
    found = replace(
        found, labels_needed=_enough(needed, test), fixed_labels_needed=_enough(fixed, test)
    )
    return _with_time(found, _enough(_needed(test, expected, least) or needed, test) / least)


def labelled_rate(endpoint: Endpoint, now: datetime) -> Rate:
    """Return the labels that a day of predictions gets, all versions together."""
    for length in LOOK_BACK:
        since = now - length
        hours = {"endpoint": endpoint, "seconds": Span.HOUR, "start__gte": since}
        labels = LabelCount.objects.filter(**hours).aggregate(n=Sum("rows", default=0))["n"]
        if labels >= FEW_LABELS:
            break
    traffic = RollUp.objects.filter(**hours).aggregate(n=Sum("rows", default=0), first=Min("start"))
    if not labels or not traffic["n"]:
        return Rate(None, None)
    days = max(now - traffic["first"], SHORTEST) / DAY
    return Rate(labels / days, min(labels / traffic["n"], 1.0))


def smaller_share(test: ABTest, challenger_share: int) -> float:
    """Return the share of labels that the smaller arm gets, of a bandit at least; both get all in a shadow test."""
    if test.kind == TestKind.SHADOW:
        return 1.0
    if test.kind == TestKind.BANDIT:
        return test.floor / BUCKETS
    return min(challenger_share, BUCKETS - challenger_share) / BUCKETS


def _smaller_share(test: ABTest, given: int | None) -> float:
    phase = newest_phase(test) if given is None and test.pk else None
    if given is None:
        given = phase.challenger_share if phase is not None else BUCKETS // 2
    return smaller_share(test, given)


def _needed(test: ABTest, expected: _Expected, share: float) -> float | None:
    """Return the labels of the smaller arm, which has this share, with looks as the test has them."""
    fixed = _fixed(test, expected, share)
    if fixed is None or test.looks == Looks.AT_HORIZON:
        return fixed
    return _any_time(test, expected, share)


def _with_time(found: Size, labels: float) -> Size:
    """Labels: of both arms together."""
    return replace(
        found,
        requests_needed=math.ceil(labels / found.coverage) if found.coverage else None,
        days=labels / found.labels_per_day if found.labels_per_day else None,
    )


def _expected(test: ABTest, endpoint: Endpoint, now: datetime) -> _Expected | None:
    """Return what the version in production is worth: by its labels, else as it was when trained."""
    version = test.control or endpoint.versions.in_production().first()
    if version is None:
        return None
    cells, goal = _cells(version, now), goal_of(test)
    is_labelled = cells.total() >= FEW_LABELS
    counters = _live(cells, version) if is_labelled else _as_trained(version)
    if counters is None or (goal.metric != "accuracy" and counters.confusion is None):
        return None
    found = estimate(counters, goal)
    return found and _Expected(found.value, found.variance * counters.labels)


def _cells(version: AlgorithmVersion, now: datetime) -> Cells:
    counted = LabelCount.objects.filter(
        endpoint=version.endpoint_id, number=version.number, seconds=Span.HOUR, rows__gt=0
    )
    cells: Cells = Counter()
    for length in LOOK_BACK:
        lately = counted.filter(start__gte=now - length).order_by()
        sums = lately.values_list("predicted", "label").annotate(n=Sum("rows"))
        cells = Counter({(predicted, label): n for predicted, label, n in sums})
        if cells.total() >= FEW_LABELS:
            break
    return cells


def _live(cells: Cells, version: AlgorithmVersion) -> ArmCounters:
    labels = cells.total()
    correct = sum(rows for (predicted, label), rows in cells.items() if predicted == label)
    names: tuple[str, ...] = ()
    with suppress(NoModel):
        names = classes_of(version).names
    confusion = None
    if len(names) == 2:
        negative, positive = names
        confusion = Confusion(
            tn=cells[negative, negative],
            fp=cells[positive, negative],
            fn=cells[negative, positive],
            tp=cells[positive, positive],
        )
    return ArmCounters(labels, labels, labels, correct, confusion)


def _as_trained(version: AlgorithmVersion) -> ArmCounters | None:
    """Its outcomes on rows that it had not learnt from, as far as its artefact tells them."""
    try:
        found = snapshots.load(version).profile.performance
    except NoModel:
        return None
    if found is None:
        return None
    recall, specificity = found.metrics.get("recall"), found.metrics.get("specificity")
    if found.prevalence is None or recall is None or specificity is None:
        accuracy = found.metrics["accuracy"]
        if accuracy is None:
            return None
        return ArmCounters(found.n, found.n, found.n, round(accuracy * found.n))
    positives = round(found.prevalence * found.n)
    tp, tn = round(recall * positives), round(specificity * (found.n - positives))
    confusion = Confusion(tn, found.n - positives - tn, positives - tp, tp)
    return ArmCounters(found.n, found.n, found.n, tn + tp, confusion)


def _fixed(test: ABTest, expected: _Expected, share: float) -> float | None:
    """Return the labels of the smaller arm for one look at the end; None where no version could differ so."""
    precision, effect = Precision(test.alpha, POWER), test.minimum_effect
    if test.metric != TestMetric.ACCURACY:
        variance = share * _variance(test, expected, share)
        return variance * (sum(precision.z) / effect) ** 2
    try:
        if test.kind == TestKind.SHADOW:
            apart = _variance(test, expected, share) + effect**2
            return pairs_needed(min(apart, 1.0), effect, precision)
        other = _other(expected.value, effect)
        return rows_per_arm(other, expected.value, precision, ratio=(1 - share) / share)
    except DataError:
        return None


def _any_time(test: ABTest, expected: _Expected, share: float) -> float:
    """Return the same for looks at any time, with the interval as mlcore.abtest.Plan tunes it.

    It is tuned for half of the labels N at the horizon. N solves |d| sqrt(N / V) = boundary + z, where the
    boundary of an interval at twice what it is tuned for does not depend on N.
    """
    reach = boundary(2.0, test.alpha, 1.0) + critical_value(2 * POWER - 1)
    return share * _variance(test, expected, share) * (reach / test.minimum_effect) ** 2


def _variance(test: ABTest, expected: _Expected, share: float) -> float:
    """Return V of a difference whose variance after N labels is V / N.

    Two versions of one endpoint are taken to err alike: the correlation of their errors is one half, so
    that a pair's difference varies as one row of one version does.
    """
    own, effect = expected.row_variance, test.minimum_effect
    if test.kind == TestKind.SHADOW:
        is_share = test.metric == TestMetric.ACCURACY
        return max(own, effect - effect**2) if is_share else own
    if test.metric == TestMetric.ACCURACY:
        other = _other(expected.value, effect)
        return own / (1 - share) + max(other * (1 - other), _LEAST) / share
    return own / (1 - share) + own / share


def _other(share: float, effect: float) -> float:
    """Return a share that differs by the effect: a better one, where there is one."""
    return share + effect if share + effect <= 1 else share - effect


def _enough(labels: float, test: ABTest) -> int:
    return max(math.ceil(labels), test.minimum_labels)
