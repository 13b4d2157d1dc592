"""A/B tests with counters as the pages find them, written past the services that count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from endpoints.models import ABArm, ABLook, ABTest, ABTraffic, Endpoint
from endpoints.services import histograms
from tests.endpoints.services.abtests import trial

LATENCY_US = 1_500
LONG = "Does the forest of the autumn harvest beat the line that answers today, " * 2


def split_test(
    endpoint: Endpoint,
    *,
    right: tuple[int, int] = (840, 871),
    labels: tuple[int, int] = (1_000, 1_000),
    units: tuple[int, int] = (1_200, 1_200),
    errors: tuple[int, int] = (0, 0),
    **plan: Any,
) -> ABTest:
    """Return a running split test of v1 against v2 with so many right answers, labels and units of each."""
    started = timezone.now() - timedelta(days=5)
    facts = {"kind": "split", "horizon": 4_000, "minimum_effect": 0.03} | plan
    test = trial.running_test(endpoint, endpoint.versions.get(number=2), **facts)
    ABTest.objects.filter(pk=test.pk).update(started_at=started)
    test.phases.update(started_at=started)
    for place, arm in enumerate(trial.arms(test).values()):
        count_labels(arm, right=right[place], labels=labels[place])
        count_traffic(arm, units=units[place], errors=errors[place])
    test.refresh_from_db()
    return test


def count_labels(arm: ABArm, *, right: int, labels: int) -> None:
    """Half of the right answers and of the wrong ones are of each class; each row is a unit."""
    wrong = labels - right
    arm.tn, arm.tp, arm.fp, arm.fn = right // 2, right - right // 2, wrong // 2, wrong - wrong // 2
    arm.squares, arm.fourths = 0.12 * labels, 0.05 * labels
    arm.units, arm.sum_x, arm.sum_n = labels, right, labels
    arm.sum_xx, arm.sum_xn, arm.sum_nn = right, right, labels
    arm.save()


def count_traffic(arm: ABArm, *, units: int, errors: int = 0, **facts: Any) -> None:
    numbers = {"requests": units, "rows": units, "units": units, "errors": errors, "agreed": 0}
    latencies = {histograms.latency_bucket(LATENCY_US): units}
    ABTraffic.objects.create(arm=arm, writer="w", latencies=latencies, **numbers | facts)


def shadow_test(
    endpoint: Endpoint, *, cells: tuple[int, int, int, int] = (800, 40, 71, 89), **plan: Any
) -> ABTest:
    """Return a running shadow test with these labelled pairs: both right, A alone, B alone, neither."""
    started = timezone.now() - timedelta(days=5)
    facts = {"horizon": 2_000, "minimum_effect": 0.03} | plan
    test = trial.running_test(endpoint, endpoint.versions.get(number=2), **facts)
    ABTest.objects.filter(pk=test.pk).update(started_at=started)
    phase, n = test.phases.get(), sum(cells)
    both, only_a, only_b, _ = cells
    for name, count in zip(("both", "only_a", "only_b", "neither"), cells, strict=True):
        setattr(phase, f"negatives_{name}", count // 2)
        setattr(phase, f"positives_{name}", count - count // 2)
    phase.started_at, phase.units, phase.sum_n, phase.sum_nn = started, n, n, n
    phase.sum_x = phase.sum_xn = only_b - only_a
    phase.sum_xx = only_a + only_b
    phase.save()
    for arm, right in zip(trial.arms(test).values(), (both + only_a, both + only_b), strict=True):
        count_labels(arm, right=right, labels=n)
        count_traffic(arm, units=n + 200, agreed=n)
    test.refresh_from_db()
    return test


def looks(test: ABTest, count: int = 30) -> None:
    """Leave a course of looks whose interval narrows."""
    phase = test.phases.get()
    now = timezone.now()
    ABLook.objects.bulk_create(
        ABLook(
            phase=phase,
            at=now - timedelta(hours=count - place),
            labels=100 + 40 * place,
            difference=0.03,
            low=0.03 - 0.3 / (place + 3),
            high=0.03 + 0.3 / (place + 3),
            p_value=0.5,
        )
        for place in range(count)
    )
