"""What a test says: figures, doubts and exactly one banner, from counters alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from time import process_time
from typing import Any

import pytest

from endpoints.models.abcount import ArmName
from endpoints.services.abtests import analysis, summary
from endpoints.services.abtests.counts import NO_TRAFFIC, PhaseCounts
from mlcore.abtest import Plan, analyse_shadow, analyse_split
from mlcore.comparison import ShadowCounters
from mlcore.mcnemar import Pairs
from mlcore.metrics import Confusion
from mlcore.outcomes import ArmCounters
from tests import cast
from tests.endpoints.services.abtests.made_up import (
    BETTER,
    DAY,
    EVEN,
    NOW,
    REFERENCE,
    a_test,
    guard,
    judge,
    shadow,
    split,
)

AT_THE_END = {"looks": "at_horizon", "most_days": 2}
STOPPED_EARLY = {"state": "stopped", "stopped_at": NOW - timedelta(hours=1)}


def test_it_works() -> None:
    report = judge(split(*REFERENCE))
    arms = (ArmCounters(2_000, 2_000, 1_000, correct) for correct in (840, 871))
    found = report.statistics
    assert found is not None
    same = analyse_split(*arms, Plan(horizon=5_000, minimum_labels=100))
    assert (found.difference, found.fixed, found.p_value) == (
        same.difference, same.fixed, same.p_value,
    )  # fmt: skip
    assert (found.always_valid, found.belief) == (same.always_valid, same.belief)
    assert round(found.p_value or 0, 12) == 0.048663608928
    assert report.banner == "keep_running"
    assert (report.labels, report.labels_needed, report.is_hidden) == (1_000, 5_000, False)
    assert report.control.value == 0.84
    assert [round(end, 12) for end in (report.control.low or 0, report.control.high or 0)] == [
        0.815983066313, 0.861414737917,
    ]  # fmt: skip
    assert (report.control.coverage, report.control.planned_share) == (0.5, 0.5)
    assert (report.control.seen_share, report.control.version) == (0.5, 1)
    assert report.challenger.version == 2
    assert report.labels_per_day == 500.0
    assert report.days_left == 8.0
    assert report.agreement is None


def test_pairs_of_a_shadow_test_are_compared_row_by_row() -> None:
    report = judge(shadow((400, 20, 31, 49), (400, 20, 40, 40)), kind="shadow", horizon=2_000)
    counters = ShadowCounters(2_000, Pairs(800, 40, 71, 89))
    same = analyse_shadow(counters, Plan(horizon=2_000, kind="shadow", minimum_labels=100))
    found = report.statistics
    assert found is not None
    assert (found.difference, found.fixed, found.p_value, found.always_valid) == (
        same.difference, same.fixed, same.p_value, same.always_valid,
    )  # fmt: skip
    assert (found.sample_ratio_p, found.coverage_p) == (None, None)
    assert report.agreement == 0.75
    assert (report.control.planned_share, report.challenger.planned_share) == (1.0, 1.0)
    assert (report.control.seen_share, report.challenger.seen_share) == (None, None)


def test_f1_and_costs_are_of_the_plan() -> None:
    counts = split({"tn": 500, "fp": 100, "fn": 100, "tp": 300}, BETTER[1])
    assert judge(counts, metric="f1").control.value == 0.75
    report = judge(counts, metric="expected_cost", cost_fp=1.0, cost_fn=4.0)
    assert (report.control.value, report.challenger.value) == (0.5, 0.1)
    assert report.banner == "b_better"


@pytest.mark.parametrize(
    ("counts", "plan", "banner"),
    [
        (split(*REFERENCE), {}, "keep_running"),
        (split(*BETTER), {}, "b_better"),
        (split(*BETTER[::-1]), {}, "a_better"),
        (split(REFERENCE[0], REFERENCE[0]), {"margin": 0.08}, "no_difference"),
        (split(REFERENCE[0], REFERENCE[0]), {"horizon": 1_000}, "inconclusive"),
        (split(REFERENCE[0], REFERENCE[0]), {"most_days": 2}, "inconclusive"),
        (split(REFERENCE[0], REFERENCE[0]), {"most_days": 3}, "keep_running"),
        (split(REFERENCE[0], REFERENCE[0]), {"state": "stopped"}, "inconclusive"),
        (split(*BETTER), {"looks": "at_horizon"}, "keep_running"),
        (split(*BETTER), {"looks": "at_horizon", "horizon": 1_000}, "b_better"),
        (split(*BETTER), {"looks": "at_horizon", "most_days": 2}, "b_better"),
        (split(*BETTER), AT_THE_END | STOPPED_EARLY, "inconclusive"),
        (split(*BETTER), AT_THE_END | STOPPED_EARLY | {"horizon": 1_000}, "b_better"),
        (split(*BETTER), STOPPED_EARLY, "b_better"),
        (split(*BETTER), {"minimum_labels": 1_001}, "keep_running"),
        (split({}, {}, (NO_TRAFFIC, NO_TRAFFIC)), {}, "keep_running"),
        (split({}, {}, (NO_TRAFFIC, NO_TRAFFIC)), {"state": "stopped"}, "inconclusive"),
        (shadow((400, 5, 95, 0), (400, 5, 95, 0)), {"kind": "shadow"}, "b_better"),
        (shadow((0, 0, 0, 0), (0, 0, 0, 0)), {"kind": "shadow"}, "keep_running"),
    ],
)
def test_the_banner_says_what_the_plan_makes_of_the_counts(
    counts: PhaseCounts, plan: dict[str, Any], banner: str
) -> None:
    assert judge(counts, **plan).banner == banner


def test_a_wrong_share_of_units_comes_before_all_else() -> None:
    lost = replace(EVEN, units=1_700, errors=500)
    report = judge(split(*BETTER, (EVEN, lost)))
    assert (report.banner, report.doubts) == ("do_not_trust", ("sample_ratio",))
    assert guard(report, "errors").breached
    assert report.challenger.seen_share == 1_700 / 3_700
    assert judge(split(*BETTER, (EVEN, lost), challenger_share=4_600)).doubts == ()


def test_a_wrong_share_of_units_is_told_before_the_first_label() -> None:
    report = judge(split({}, {}, (EVEN, replace(EVEN, units=1_700))))
    assert (report.banner, report.is_hidden) == ("do_not_trust", True)


def test_labels_that_one_arm_gets_more_of_are_a_doubt() -> None:
    report = judge(split(*BETTER, (EVEN, replace(EVEN, rows=1_200))))
    assert (report.banner, report.doubts) == ("do_not_trust", ("coverage",))


def test_looks_that_contradict_one_another_are_a_doubt() -> None:
    report = judge(split(*BETTER, low=-0.4, high=-0.3, p_value=0.001))
    assert (report.banner, report.doubts) == ("do_not_trust", ("drifted",))


def test_earlier_looks_bind_this_one() -> None:
    found = judge(split(*REFERENCE, low=0.0, high=0.05, p_value=0.3)).statistics
    assert found is not None
    assert found.always_valid is not None
    assert tuple(found.always_valid) == (0.0, 0.05, 0.3)


def test_results_are_hidden_before_the_minimum_and_no_guardrail_is() -> None:
    report = judge(split(*BETTER), minimum_labels=1_001)
    assert report.is_hidden
    for arm in (report.control, report.challenger):
        assert (arm.value, arm.low, arm.high, arm.brier) == (None, None, None, None)
        assert (arm.labels, arm.requests) == (1_000, 2_000)
    assert guard(report, "errors").known
    assert not guard(report, "brier").known
    document = summary.as_dict(report)
    assert (document["hidden_until"], document["result"]) == (1_001, None)
    assert "0.9" not in json.dumps(document)


def test_units_that_repeat_widen_the_interval() -> None:
    sums = {"units": 200, "sum_x": 800.0, "sum_n": 1_000.0}
    sums |= {"sum_xx": 3_800.0, "sum_xn": 4_100.0, "sum_nn": 5_200.0}
    alone, together = (judge(split(*REFERENCE)), judge(split(REFERENCE[0] | sums, REFERENCE[1])))
    assert alone.statistics is not None
    assert together.statistics is not None
    assert (together.statistics.se or 0) > 1.1 * (alone.statistics.se or 0)
    assert together.cautions == ()


def test_few_units_decide_nothing() -> None:
    sums = {"units": 49, "sum_x": 900.0, "sum_n": 1_000.0}
    sums |= {"sum_xx": 16_600.0, "sum_xn": 18_400.0, "sum_nn": 20_500.0}
    report = judge(split(BETTER[0], BETTER[1] | sums))
    assert (report.banner, report.is_hidden, report.control.value) == ("keep_running", True, None)
    assert "49 units" in report.cautions[0]
    assert (guard(report, "brier").known, guard(report, "brier").control) == (False, None)
    assert judge(split(BETTER[0], BETTER[1] | sums | {"units": 50})).banner == "b_better"


def test_the_end_waits_for_units_until_the_last_day() -> None:
    sums = {"units": 49, "sum_x": 900.0, "sum_n": 1_000.0}
    sums |= {"sum_xx": 16_600.0, "sum_xn": 18_400.0, "sum_nn": 20_500.0}
    few, plan = split(BETTER[0], BETTER[1] | sums), {"horizon": 1_000}
    waiting = judge(few, **plan)
    assert (waiting.banner, waiting.ended, waiting.days_left) == ("keep_running", False, None)
    assert (waiting.units, waiting.units_needed) == (49, 50)
    document = summary.as_dict(waiting)
    assert (document["hidden_until"], document["hidden_until_units"]) == (None, 50)
    late = judge(few, **plan, most_days=2)
    assert (late.banner, late.ended) == ("inconclusive", True)
    enough = judge(split(BETTER[0], BETTER[1] | sums | {"units": 50}), **plan)
    assert (enough.ended, enough.units_needed) == (True, None)
    fewer_labels = summary.as_dict(judge(few, minimum_labels=1_001))
    assert (fewer_labels["hidden_until"], fewer_labels["hidden_until_units"]) == (1_001, None)


@pytest.mark.parametrize(
    ("plan", "banner", "ended"),
    [
        ({}, "inconclusive", False),
        ({"horizon": 1_000}, "inconclusive", True),
        ({"most_days": 2}, "inconclusive", False),
        ({"most_days": 1}, "inconclusive", True),
    ],
)
def test_a_test_that_somebody_stopped_has_not_ended_by_plan(
    plan: dict[str, Any], banner: str, ended: bool
) -> None:
    report = judge(split(REFERENCE[0], REFERENCE[0]), **STOPPED_EARLY | plan)
    assert (report.banner, report.ended, report.days_left) == (banner, ended, None)
    assert summary.as_dict(report)["ended"] == ended


def test_a_look_at_the_end_that_was_kept_decides() -> None:
    plan = {"looks": "at_horizon", "horizon": 1_000}
    kept = {"low": 0.01, "high": 0.03, "p_value": 0.002}
    report = judge(split(REFERENCE[0], REFERENCE[0], **kept), **plan)
    assert (report.banner, report.doubts) == ("b_better", ())
    result = summary.as_dict(report)["result"]
    assert result["fixed"] == kept
    assert result["difference"] == 0.0


def test_a_single_unit_says_nothing_of_pairs() -> None:
    sums = {"units": 1, "sum_n": 900.0, "sum_nn": 810_000.0}
    report = judge(shadow((400, 5, 45, 0), (400, 5, 45, 0), **sums), kind="shadow")
    assert (report.statistics, report.banner) == (None, "keep_running")
    late = {"kind": "shadow", "most_days": 2}
    ended = judge(shadow((400, 5, 45, 0), (400, 5, 45, 0), **sums), **late)
    assert ended.banner == "inconclusive"
    assert summary.as_dict(ended)["checks"]["sample_ratio_p"] is None


def test_f1_of_pairs_takes_the_rows_of_a_unit_for_one_and_says_so() -> None:
    counts = shadow((400, 5, 45, 0), (400, 5, 45, 0), units=400, sum_n=900.0, sum_nn=2_100.0)
    report = judge(counts, kind="shadow", metric="f1")
    assert report.statistics is not None
    assert "F1 takes the rows of a unit for one" in report.cautions[0]
    alone = judge(shadow((400, 5, 45, 0), (400, 5, 45, 0)), kind="shadow", metric="f1").statistics
    assert alone is not None
    assert report.statistics.se == pytest.approx((alone.se or 0) * (2_100 / 900) ** 0.5)
    assert judge(counts, kind="shadow").cautions == ()


def test_labels_of_one_predicted_class_are_a_caution() -> None:
    some = {"fp": 100, "tp": 900}
    [said] = judge(split(some, BETTER[1])).cautions
    assert "predicted as one class" in said
    assert judge(split(some, BETTER[1]), minimum_labels=1_001).cautions == ()
    assert judge(split(*REFERENCE)).cautions == ()  # three classes look like this


def test_days_left_end_with_the_plan() -> None:
    counts = split(*REFERENCE)
    assert judge(counts, most_days=5).days_left == 3.0
    assert judge(counts, most_days=30).days_left == 8.0
    assert judge(counts, horizon=1_000).days_left is None
    assert judge(counts, state="stopped").labels_per_day is None
    empty = split({}, {}, (NO_TRAFFIC, NO_TRAFFIC))
    assert judge(empty).days_left is None
    assert judge(replace(empty, labels_per_day=2_500.0)).days_left == 2.0


def test_a_first_minute_is_no_day() -> None:
    found = analysis.judge(a_test(), split(*REFERENCE), cast.THEN + timedelta(minutes=1))
    assert found.labels_per_day == 24_000.0


def test_labels_that_wait_do_not_slow_the_rate() -> None:
    test = a_test(maturation_hours=24, counted_until=cast.THEN + DAY)
    assert analysis.judge(test, split(*REFERENCE), NOW).labels_per_day == 1_000.0


def test_rows_that_are_too_young_are_not_asked_for_labels() -> None:
    counts = split(*(counts | {"requests": 1_250} for counts in REFERENCE))
    report = judge(counts, maturation_hours=24, counted_until=cast.THEN + DAY)
    assert report.control.coverage == report.challenger.coverage == 0.8


def test_traffic_that_was_lost_with_the_log_is_no_fault() -> None:
    report = judge(split(*REFERENCE, (NO_TRAFFIC, NO_TRAFFIC)))
    assert (report.control.coverage, report.control.rows, report.doubts) == (1.0, 0, ())


def test_the_summary_is_the_report_in_numbers() -> None:
    report = judge(split(*REFERENCE))
    document = json.loads(json.dumps(summary.as_dict(report), allow_nan=False))
    found = report.statistics
    assert found is not None
    assert document["banner"] == "keep_running"
    assert document["control"]["value"] == 0.84
    result = document["result"]
    assert (result["difference"], result["decides"]) == (found.difference, "always_valid")
    assert result["relative_lift"] == pytest.approx(0.036904761904762)
    assert list(result["always_valid"]) == ["low", "high", "p_value"]
    assert result["fixed"]["p_value"] == found.p_value
    assert found.belief is not None
    assert result["b_better"] == found.belief.b_better
    assert document["checks"]["coverage_p"] == found.coverage_p
    assert [rail["code"] for rail in document["guardrails"]] == ["errors", "brier"]
    assert document["hidden_until"] is None
    flat = dict(summary.flat(document))
    assert flat["control.value"] == 0.84
    assert flat["guardrails.0.code"] == "errors"
    assert (
        summary.as_dict(judge(split(*REFERENCE), looks="at_horizon"))["result"]["decides"]
        == "fixed"
    )


def test_an_arm_that_is_worth_nothing_has_no_lift() -> None:
    report = judge(split({"fp": 1_000}, REFERENCE[1]))
    assert summary.as_dict(report)["result"]["relative_lift"] is None


def test_a_million_labels_take_no_longer() -> None:
    sides = ({"tn": 420_000, "fp": 80_000}, {"tn": 421_000, "fp": 79_000})
    traffic = replace(EVEN, requests=600_000, rows=600_000, units=600_000)
    counts = split(*sides, (traffic, traffic))
    test, took = a_test(horizon=5_000_000), []
    for _ in range(5):
        start = process_time()
        analysis.judge(test, counts, NOW)
        took.append(process_time() - start)
    assert min(took) < 0.010


def test_names_of_the_arms_are_those_of_the_tables() -> None:
    report = judge(split(*REFERENCE))
    assert [report.control.name, report.challenger.name] == ArmName.values
    assert Confusion(840, 160, 0, 0).tn == report.control.labels - 160
