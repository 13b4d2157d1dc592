"""Reports of stored tests: what is read, of which phase, and what a draft and a stopped test say."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from endpoints.models import ABPhase, ABTest, Endpoint
from endpoints.models.roll_up import LabelCount, RollUp
from endpoints.services.abtests import analysis, summary
from mlcore.abtest import Plan, analyse_shadow
from mlcore.comparison import ShadowCounters
from mlcore.mcnemar import Pairs
from mlcore.outcomes import Goal
from tests import cast
from tests.endpoints import grains
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.counted import (
    A,
    Asked,
    B,
    Said,
    answer_and_label,
    label,
    log,
    pair_and_label,
)
from tests.endpoints.services.abtests.made_up import (
    NOW,
    judge,
    split,
)

pytestmark = pytest.mark.django_db


def test_a_stored_test_is_read_in_six_queries(
    raisin: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    ids = log(
        test, [Asked((Said(1), Said(0)), arm=(A, B)[n % 2], latency_us=900) for n in range(8)]
    )
    label([(pk, 0, 1) for pk in ids[:6]])
    with django_assert_max_num_queries(6):
        report = analysis.analyse(ABTest.objects.get(), NOW)
    assert (report.control.requests, report.control.rows, report.control.units) == (4, 8, 4)
    assert (report.control.labels, report.challenger.labels) == (3, 3)
    assert report.control.coverage == 3 / 8
    assert 0.8 < (report.control.p95_ms or 0) < 1.0
    assert (report.labels, report.challenger.version, report.is_hidden) == (3, 2, True)


def test_traffic_of_all_writers_is_added_up(raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2))
    for agrees in (1, 0):
        log(test, [Asked((Said(1),), shadow=(Said(agrees),)) for _ in range(3)])
    log(test, [Asked((Said(1),))])
    report = analysis.analyse(test, NOW)
    assert (report.control.rows, report.challenger.rows, report.agreement) == (7, 6, 0.5)


def test_the_whole_path_says_what_the_short_one_says(raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split", horizon=5_000)
    sides = ({"tn": 60, "fp": 20, "fn": 10, "tp": 60}, {"tn": 90, "fp": 10, "fn": 10, "tp": 90})
    for arm, outcomes in zip((A, B), sides, strict=True):
        answer_and_label(test, arm, outcomes)
    report, found = analysis.analyse(test, NOW), judge(split(*sides)).statistics
    assert report.statistics is not None
    assert found is not None
    assert report.statistics.difference == found.difference
    assert report.statistics.fixed == found.fixed


def test_expected_costs_of_pairs_count_by_the_plan(raisin: Endpoint) -> None:
    test = trial.running_test(
        raisin, raisin.versions.get(number=2), metric="expected_cost", cost_fn=3.0
    )
    pair_and_label(test, {"both": 60, "only_a": 10, "only_b": 30, "neither": 10})
    report = analysis.analyse(test, NOW)
    assert (report.control.value, report.challenger.value) == (120 / 110, 60 / 110)
    same = analyse_shadow(
        ShadowCounters(110, Pairs(60, 10, 30, 10), Pairs(0, 0, 0, 0), Pairs(60, 10, 30, 10)),
        Plan(1_000, Goal("expected_cost", 1.0, 3.0), "shadow", minimum_labels=100),
    )
    assert report.statistics is not None
    assert report.statistics.fixed == same.fixed


def test_late_labels_of_a_stopped_test_move_the_recount_and_not_the_summary(
    raisin: Endpoint,
) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    [pk] = log(test, [Asked((Said(1),))])
    kept = summary.as_dict(analysis.analyse(test, NOW))
    ABTest.objects.filter(pk=test.pk).update(summary=kept)
    test.refresh_from_db()
    trial.stop(test)
    label([(pk, 0, 1)])
    test.refresh_from_db()
    report = analysis.analyse(test, NOW)
    assert (report.control.labels, report.ended) == (1, False)
    assert test.summary["control"]["labels"] == 0


def test_phase_and_arms_are_read_at_one_moment(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that come between two reads would look like units that come again."""
    test = trial.running_test(raisin, raisin.versions.get(number=2))
    read_before = test.phases.get()
    pair_and_label(test, {"both": 120})
    monkeypatch.setattr(analysis, "newest_phase", lambda _: read_before)
    report = analysis.analyse(test, NOW)
    assert report.phase is not None
    assert (report.phase.positives_both, report.labels, report.control.value) == (120, 120, 1.0)


def test_the_newest_phase_is_told(raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    answer_and_label(test, A, {"tp": 3})
    second = trial.new_phase(test, share=1_000)
    report = analysis.analyse(test, NOW)
    assert (report.phase, report.control.labels) == (second, 0)
    assert (report.control.planned_share, report.challenger.planned_share) == (0.9, 0.1)


@pytest.mark.parametrize("looks", ["any_time", "at_horizon"])
def test_the_summary_keeps_each_phase(raisin: Endpoint, looks: str) -> None:
    challenger = raisin.versions.get(number=2)
    test = trial.running_test(
        raisin, challenger, kind="split", minimum_labels=50, horizon=60, looks=looks
    )
    answer_and_label(test, A, {"tp": 60})
    answer_and_label(test, B, {"fp": 60})
    trial.new_phase(test, share=1_000)
    answer_and_label(test, A, {"tp": 3})
    trial.new_phase(test, share=2_000)
    answer_and_label(test, A, {"tp": 30, "fp": 30})
    answer_and_label(test, B, {"tp": 61})
    report = analysis.analyse(test, NOW)
    first, second, third = summary.as_dict(report)["phases"]
    assert [phase["challenger_share"] for phase in (first, second, third)] == [5_000, 1_000, 2_000]
    assert (first["number"], first["ended_at"]) == (1, cast.THEN.isoformat())
    assert (first["control"], first["challenger"]) == ({"requests": 60, "labels": 60},) * 2
    assert first["difference"] == -1.0
    assert first["low"] <= -1.0 < first["high"] < 0
    assert (second["control"]["labels"], second["challenger"]["labels"]) == (3, 0)
    assert (second["difference"], second["low"], second["high"]) == (None, None, None)
    assert (third["difference"], third["ended_at"]) == (0.5, None)
    assert report.phase is not None
    assert (third["low"], third["high"]) == (report.phase.low, report.phase.high)


def test_a_draft_has_not_started(
    raisin: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    test = ABTest.objects.create(
        endpoint=raisin, title="t", kind="split", challenger=raisin.versions.get(number=2),
        salt="s", horizon=600, most_days=4,
    )  # fmt: skip
    with django_assert_max_num_queries(6):
        report = analysis.analyse(
            ABTest.objects.select_related("endpoint", "challenger").get(), NOW
        )
    assert (report.banner, report.is_hidden, report.phase) == ("not_started", True, None)
    assert (report.control.version, report.challenger.version) == (1, 2)
    assert (report.labels_per_day, report.days_left) == (None, 4.0)
    assert summary.as_dict(report)["result"] is None
    ABPhase.objects.create(test=test, number=1, challenger_share=2_000, started_at=NOW)
    assert analysis.analyse(test, NOW).challenger.planned_share == 0.2


@pytest.mark.parametrize("state", ["draft", "running"])
def test_before_the_first_label_the_endpoint_tells_how_long_it_takes(
    raisin: Endpoint, state: str
) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split", share=2_000)
    ABTest.objects.filter(pk=test.pk).update(state=state)
    test.refresh_from_db()
    traffic_and_labels(raisin, rows=400, labels=200)
    report = analysis.analyse(test, NOW)
    assert report.labels_per_day == 200 / 2 * 0.2
    assert report.days_left == 1_000 / 20


def traffic_and_labels(endpoint: Endpoint, *, rows: int, labels: int) -> None:
    place = {"endpoint": endpoint, "number": 1, "seconds": 3_600, "start": cast.THEN}
    counts: dict[str, Any] = dict.fromkeys(("latencies", "scores", "refusals"), {})
    RollUp.objects.create(
        **place, writer="w", requests=rows, rows=rows, two_class_rows=rows, positives=0, **counts
    )
    LabelCount.objects.create(**place, predicted="Besni", label="Besni", rows=labels)


def test_three_classes_have_accuracy() -> None:
    endpoint = grains.endpoint()
    test = trial.running_test(endpoint, grains.version(endpoint, status="staging"), kind="split")
    asked = [Asked((Said(n % 3, [0.5, 0.3, 0.2]),), arm=(A, B)[n % 2]) for n in range(240)]
    label(
        [(pk, 0, n % 3 * (n % 4 > 0)) for n, pk in enumerate(log(test, asked))],
        names=grains.CLASSES,
    )
    report = analysis.analyse(test, NOW)
    assert report.control.value == 80 / 120
    assert (report.challenger.value, report.cautions) == (1.0, ())
