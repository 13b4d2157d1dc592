"""How many labels a test needs, and how long they take, from what the endpoint has counted."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from endpoints.models import ABPhase, ABTest, Endpoint, Status
from endpoints.models.roll_up import LabelCount, RollUp
from endpoints.services import artifacts, snapshots
from endpoints.services.abtests import sizing
from endpoints.services.abtests.sizing import Size
from mlcore.errors import ArtifactError
from mlcore.sample_size import pairs_needed, rows_per_arm
from mlcore.sequential import rows_to_decide
from tests import cast
from tests.endpoints import grains

pytestmark = pytest.mark.django_db
NOW = cast.THEN
DAY = timedelta(days=1)
ACCURATE = {("Besni", "Besni"): 420, ("Kecimen", "Kecimen"): 420, ("Besni", "Kecimen"): 160}


def traffic(
    endpoint: Endpoint,
    cells: dict[tuple[str, str], int],
    *,
    days_ago: float = 2,
    rows: int = 4_000,
    number: int = 1,
) -> None:
    """Count rows and labels of one hour so long ago."""
    place = {"endpoint": endpoint, "number": number, "seconds": 3_600}
    place["start"] = NOW - days_ago * DAY
    counts: dict[str, Any] = dict.fromkeys(("latencies", "scores", "refusals"), {})
    RollUp.objects.create(
        **place, writer="w", requests=rows, rows=rows, two_class_rows=rows, positives=0, **counts
    )
    for (predicted, label), n in cells.items():
        LabelCount.objects.create(**place, predicted=predicted, label=label, rows=n)


def size(endpoint: Endpoint, *, share: int | None = None, **plan: Any) -> Size:
    facts = {"kind": "split", "minimum_effect": 0.03, "looks": "at_horizon"} | plan
    return sizing.size(ABTest(title="t", **facts), endpoint, NOW, challenger_share=share)


def test_it_works(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    found = size(raisin)
    assert found.baseline == 0.84
    assert found.labels_needed == found.fixed_labels_needed == 2_162
    assert (found.labels_per_day, found.coverage) == (500.0, 0.25)
    assert found.requests_needed == 4 * 2 * 2_162
    assert found.days == 2 * 2_162 / 500


def test_looks_at_any_time_need_more(raisin: Endpoint) -> None:
    """N solves the equation of rows_to_decide, with an interval that is tuned for half of N."""
    traffic(raisin, ACCURATE)
    found = size(raisin, looks="any_time")
    assert found.fixed_labels_needed == 2_162
    both = 2 * (found.labels_needed or 0)
    variance = 2 * (0.84 * 0.16 + 0.87 * 0.13)
    assert both == pytest.approx(rows_to_decide(0.03, variance, tuned_for=both / 2), rel=1e-3)
    assert both > 2 * 2_162


def test_the_smaller_arm_decides(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    for share in (1_000, 9_000):
        found = size(raisin, share=share)
        assert found.labels_needed == -int(-rows_per_arm(0.87, 0.84, ratio=9) // 1)
        assert found.days == (found.labels_needed or 0) / 0.1 / 500
    both = 10 * (size(raisin, share=1_000, looks="any_time").labels_needed or 0)
    variance = 0.84 * 0.16 / 0.9 + 0.87 * 0.13 / 0.1
    assert both == pytest.approx(rows_to_decide(0.03, variance, tuned_for=both / 2), rel=2e-3)


def test_a_bandit_needs_the_labels_of_even_shares_and_the_time_of_its_floor(
    raisin: Endpoint,
) -> None:
    traffic(raisin, ACCURATE)
    found = size(raisin, kind="bandit", looks="any_time", floor=1_000)
    even, floor = (size(raisin, looks="any_time", share=share) for share in (5_000, 1_000))
    assert found.labels_needed == even.labels_needed
    assert (found.days, found.requests_needed) == (floor.days, floor.requests_needed)


def test_the_share_is_that_of_the_newest_phase(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    facts = {"kind": "split", "minimum_effect": 0.03, "horizon": 100, "looks": "at_horizon"}
    challenger = raisin.versions.get(number=2)
    test = ABTest.objects.create(
        endpoint=raisin, title="t", challenger=challenger, salt="s", **facts
    )
    assert sizing.size(test, raisin, NOW).labels_needed == 2_162
    ABPhase.objects.create(test=test, number=1, challenger_share=1_000, started_at=NOW)
    assert sizing.size(test, raisin, NOW) == size(raisin, share=1_000)


def test_pairs_need_fewer_and_all_traffic_counts(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    found = size(raisin, kind="shadow")
    variance = 0.84 * 0.16
    assert found.labels_needed == -int(-pairs_needed(variance + 0.03**2, 0.03) // 1)
    assert found.days == (found.labels_needed or 0) / 500
    any_time = size(raisin, kind="shadow", looks="any_time").labels_needed or 0
    assert any_time == pytest.approx(
        rows_to_decide(0.03, variance, tuned_for=any_time / 2), rel=1e-3
    )


def test_other_metrics_have_their_own_baseline_and_variance(raisin: Endpoint) -> None:
    cells = {
        ("Besni", "Besni"): 300, ("Kecimen", "Kecimen"): 500,
        ("Besni", "Kecimen"): 150, ("Kecimen", "Besni"): 50,
    }  # fmt: skip
    traffic(raisin, cells)
    f1 = size(raisin, metric="f1")
    assert f1.baseline == 0.75
    spread = (300 * 2**2 * 0.25**2 + 200 * 0.75**2) / 800**2 * 1_000
    z = 1.959963984540054 + 0.8416212335729143
    assert f1.labels_needed == pytest.approx(2 * spread * (z / 0.03) ** 2, abs=1)
    cost = size(raisin, metric="expected_cost", cost_fp=1.0, cost_fn=3.0, minimum_effect=0.1)
    assert cost.baseline == 0.3
    spread = 0.15 * 1.0 + 0.05 * 9.0 - 0.3**2
    assert cost.labels_needed == pytest.approx(2 * spread * (z / 0.1) ** 2, abs=1)
    pairs = size(raisin, kind="shadow", metric="f1").labels_needed or 0
    assert pairs == pytest.approx((f1.labels_needed or 0) / 2, abs=1)


def test_never_less_than_the_minimum(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    found = size(raisin, minimum_effect=0.15, minimum_labels=300)
    assert found.labels_needed == found.fixed_labels_needed == 300


def test_alpha_is_the_plans(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    for looks in ("any_time", "at_horizon"):
        strict = size(raisin, looks=looks, alpha=0.001).labels_needed or 0
        assert strict > 1.5 * (size(raisin, looks=looks).labels_needed or 0)


def test_no_version_is_better_by_more_than_there_is(raisin: Endpoint) -> None:
    traffic(raisin, {("Besni", "Besni"): 900, ("Besni", "Kecimen"): 100})
    assert size(raisin, minimum_effect=0.2).labels_needed is not None  # worse by so much
    found = size(raisin, minimum_effect=0.95)
    assert (found.labels_needed, found.requests_needed, found.days) == (None, None, None)
    assert (found.baseline, found.labels_per_day) == (0.9, 500.0)


def test_a_month_is_looked_at_where_a_week_has_few_labels(raisin: Endpoint) -> None:
    few = {("Besni", "Besni"): 40, ("Besni", "Kecimen"): 59}
    traffic(raisin, few, days_ago=2)
    traffic(raisin, ACCURATE, days_ago=20)
    found = size(raisin)
    assert found.baseline == (840 + 40) / 1_099
    assert found.labels_per_day == 1_099 / 20
    traffic(raisin, {("Besni", "Besni"): 1}, days_ago=1, rows=1)
    week = size(raisin)
    assert (week.baseline, week.labels_per_day) == (0.41, 50.0)
    assert week.coverage == 100 / 4_001


def test_older_labels_say_nothing(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE, days_ago=31)
    found = size(raisin)
    assert (found.labels_per_day, found.coverage, found.days) == (None, None, None)
    assert found.labels_needed is not None


def test_without_labels_the_baseline_is_that_of_the_training(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=1)
    performance = snapshots.load(version).profile.performance
    assert performance is not None
    found = size(raisin)
    assert found.baseline == pytest.approx(performance.metrics["accuracy"])
    assert size(raisin, metric="f1").baseline == pytest.approx(performance.metrics["f1"])
    assert found.labels_needed is not None
    assert (found.requests_needed, found.days) == (None, None)


def test_other_versions_count_as_traffic_and_not_as_the_baseline(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE)
    traffic(raisin, {("Besni", "Kecimen"): 1_000}, number=2)
    found = size(raisin)
    assert (found.baseline, found.labels_per_day, found.coverage) == (0.84, 1_000.0, 0.25)


def test_an_artefact_that_is_gone_leaves_accuracy(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> None:
        raise ArtifactError("gone")

    monkeypatch.setattr(artifacts, "load", gone)
    monkeypatch.setattr(snapshots, "models", snapshots.ModelCache(2))
    assert size(raisin) == Size()
    traffic(raisin, ACCURATE)
    assert size(raisin).labels_needed == 2_162
    assert size(raisin, metric="f1") == Size(labels_per_day=500.0, coverage=0.25)


@pytest.mark.parametrize("performance", [None, "undefined"])
def test_a_training_that_tells_nothing_gives_no_baseline(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, performance: str | None
) -> None:
    undefined = SimpleNamespace(n=0, prevalence=None, metrics={"accuracy": None})
    profile = SimpleNamespace(performance=undefined if performance else None)
    monkeypatch.setattr(snapshots, "load", lambda _: SimpleNamespace(profile=profile))
    assert size(raisin) == Size()


def test_three_classes_have_accuracy_alone() -> None:
    endpoint = grains.endpoint()
    assert 0.5 < (size(endpoint).baseline or 0) <= 1.0
    assert size(endpoint, metric="f1") == Size()
    besni, kecimen, rumi = grains.CLASSES
    traffic(endpoint, {(besni, besni): 70, (kecimen, rumi): 30})
    assert size(endpoint).baseline == 0.7


def test_an_endpoint_without_production_has_no_baseline(raisin: Endpoint) -> None:
    raisin.versions.update(status=Status.TESTING)
    assert size(raisin) == Size()


def test_a_running_test_has_its_own_control(raisin: Endpoint) -> None:
    traffic(raisin, {("Besni", "Besni"): 70, ("Besni", "Kecimen"): 30}, number=2)
    assert size(raisin, control=raisin.versions.get(number=2)).baseline == 0.7


def test_labels_of_the_first_minutes_are_not_taken_for_a_day(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE, days_ago=0)
    assert size(raisin).labels_per_day == 24_000.0


def test_coverage_is_a_share(raisin: Endpoint) -> None:
    traffic(raisin, ACCURATE, rows=500)
    assert size(raisin).coverage == 1.0


def test_pairs_differ_at_least_as_often_as_the_effect_says(raisin: Endpoint) -> None:
    traffic(raisin, {("Besni", "Besni"): 990, ("Besni", "Kecimen"): 10})
    found = size(raisin, kind="shadow", looks="any_time", minimum_effect=0.05).labels_needed or 0
    variance = 0.05 - 0.05**2
    assert found == pytest.approx(rows_to_decide(0.05, variance, tuned_for=found / 2), rel=5e-3)
