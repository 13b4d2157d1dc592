"""Holes, ranges, levels and frozen columns of live rows, each with a share and a verdict."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from mlcore import DriftRule, QualityReport, Window, check_quality
from mlcore.arrays import FloatArray
from mlcore.quality import growth_p_value, two_proportions
from mlcore.results import Result
from tests.mlcore.monitored import levels_profile, levels_window, profile_of, window_of


def verdicts(report: QualityReport) -> dict[str, str]:
    return {found.name: found.verdict for found in report.results}


def of_numbers(ref: FloatArray, cur: FloatArray, rule: DriftRule | None = None) -> QualityReport:
    profile = profile_of(ref)
    return check_quality(profile, window_of(profile, cur), rule)


def test_it_works() -> None:
    cur = np.concatenate((np.linspace(0, 99, 150), [np.nan] * 50))
    report = of_numbers(np.linspace(0, 100, 1000), cur)
    assert verdicts(report) == {
        "missing": "drift",
        "out_of_range": "no_drift",
        "constant": "no_drift",
    }
    assert (report.verdict, report.n_ref, report.n_cur) == ("drift", 1000, 200)
    told = report.to_dict()["results"][0]
    assert (told["count"], told["share"], told["value"]) == (50, 0.25, 0.25)
    low, high = proportion_confint(50, 200, method="wilson")
    assert (told["low"], told["high"]) == pytest.approx((low, high))
    json.dumps(report.to_dict(), allow_nan=False)


def test_missing_values_as_in_the_training_are_no_fault() -> None:
    ref = np.where(np.arange(1000) % 4 == 0, np.nan, np.arange(1000.0))
    assert verdicts(of_numbers(ref, ref[:200]))["missing"] == "no_drift"
    assert verdicts(of_numbers(ref, np.arange(200.0)))["missing"] == "no_drift"


def test_many_rows_show_a_change_that_is_too_small_to_matter() -> None:
    ref = np.arange(20_000.0)
    cur = np.where(np.arange(20_000) % 200 == 0, np.nan, ref)
    assert verdicts(of_numbers(ref, cur))["missing"] == "possible"


def test_values_outside_the_training_range() -> None:
    ref = np.linspace(0, 100, 1000)
    outside = np.concatenate((np.linspace(10, 90, 180), [-5.0] * 10, [105.0] * 10))
    report = of_numbers(ref, outside)
    assert verdicts(report)["out_of_range"] == "drift"
    assert report.results[1].statistic == 20


def test_one_row_outside_is_to_be_expected() -> None:
    report = of_numbers(np.linspace(0, 100, 1000), np.append(np.linspace(10, 90, 59), 101.0))
    assert verdicts(report)["out_of_range"] in ("no_drift", "possible")
    found = growth_p_value(2, 1000, 1, 60)
    assert found == pytest.approx(2 * stats.binom.sf(0, 3, 60 / 1060))


def test_rows_like_the_training_raise_no_alarm() -> None:
    rng = np.random.default_rng(1)
    profile = profile_of(*rng.standard_t(2, size=(7, 5000)))
    found = [
        check_quality(profile, window_of(profile, *rng.standard_t(2, size=(7, m)))).verdict
        for m in [50, 100, 500, 5000] * 50
    ]
    assert found.count("drift") <= 6


def test_new_levels() -> None:
    profile = levels_profile(dark=600, red=400)
    report = check_quality(profile, levels_window(profile, dark=60, red=35, blue=5))
    assert verdicts(report) == {"missing": "no_drift", "unseen": "drift", "constant": "no_drift"}
    assert report.unseen == {"colour": {"blue": 5}}
    one = check_quality(profile, levels_window(profile, dark=60, red=39, blue=1))
    assert verdicts(one)["unseen"] != "drift"


def test_levels_that_stand_alone_in_the_training_foretell_new_ones() -> None:
    """With 30 levels of one row each in 1,000, three rows in 100 are to be expected of others."""
    rare = {f"rare{k}": 1 for k in range(30)}
    profile = levels_profile(dark=970, **rare)
    steady = check_quality(profile, levels_window(profile, dark=94, blue=3, green=3))
    assert verdicts(steady)["unseen"] == "no_drift"
    assert steady.results[1].p_value == pytest.approx(growth_p_value(30, 1000, 6, 100))
    common = levels_profile(dark=970, red=30)
    new = check_quality(common, levels_window(common, dark=94, blue=3, green=3))
    assert verdicts(new)["unseen"] == "drift"
    assert new.results[1].p_value == pytest.approx(growth_p_value(1, 1000, 6, 100))
    flood = check_quality(profile, levels_window(profile, dark=80, blue=20))
    assert verdicts(flood)["unseen"] == "drift"


def test_a_column_that_froze() -> None:
    rng = np.random.default_rng(2)
    report = of_numbers(rng.normal(size=1000), np.full(100, 0.25))
    assert verdicts(report)["constant"] == "drift"
    always = of_numbers(np.full(1000, 3.0), np.full(100, 3.0))
    assert verdicts(always)["constant"] == "no_drift"
    profile = levels_profile(dark=600, red=400)
    assert verdicts(check_quality(profile, levels_window(profile, red=60)))["constant"] == "drift"


def test_a_column_that_hardly_ever_moved_may_stand_still() -> None:
    ref = np.where(np.arange(1000) % 200 == 0, 1.0, 0.0)
    assert verdicts(of_numbers(ref, np.zeros(60)))["constant"] == "no_drift"


def constant(ref: FloatArray, m: int) -> Result:
    return of_numbers(ref, np.zeros(m)).results[2]


def test_standing_still_has_the_chance_that_all_other_rows_are_in_the_training() -> None:
    """One of 5,000 rows was 1: that it is not among 50,000 more has the chance 1/11, not 1/20,000."""
    found = constant(np.append(np.zeros(4999), 1.0), 50_000)
    assert found.p_value == pytest.approx(5000 / 55_000, rel=1e-12)
    assert (found.statistic, found.verdict) == (50_000, "no_drift")
    more = constant(np.append(np.zeros(990), np.ones(10)), 1000)
    assert more.p_value == pytest.approx(stats.hypergeom.pmf(0, 2000, 10, 1000), rel=1e-9)


def test_an_event_too_rare_for_the_window_is_no_drift_and_one_that_stopped_is() -> None:
    """Of 300 columns that are 1 once in 50,000 rows, none at most is found frozen over 50,000."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(300):
        ref, cur = ((rng.random(n) < 2e-5).astype(float) for n in (5000, 50_000))
        found.append(verdicts(of_numbers(ref, cur))["constant"])
    assert found.count("drift") <= 1
    stopped = (rng.random(5000) < 0.002).astype(float)
    assert verdicts(of_numbers(stopped, np.zeros(50_000)))["constant"] == "drift"


def test_few_rows_get_no_verdict() -> None:
    report = of_numbers(np.linspace(0, 100, 1000), np.full(49, np.nan))
    assert set(verdicts(report).values()) == {"insufficient_data"}
    assert (
        of_numbers(np.arange(100.0), np.full(49, np.nan), DriftRule(min_rows=20)).verdict == "drift"
    )


def test_no_rows_say_nothing() -> None:
    profile = profile_of(np.arange(100.0))
    report = check_quality(profile, Window.empty(profile))
    assert report.verdict == "insufficient_data"
    assert report.shares[0] == (0.0, 0.0, 1.0)


def test_two_proportions_agree_with_statsmodels() -> None:
    z, p = two_proportions(20, 1000, 40, 800)
    expected_z, expected_p = proportions_ztest([40, 20], [800, 1000])
    assert (z, p) == pytest.approx((expected_z, expected_p))
    assert two_proportions(0, 10, 0, 5) == (0.0, 1.0)
    assert growth_p_value(500, 1000, 100, 800) == 1.0
    assert growth_p_value(500, 1000, 450, 800) == pytest.approx(
        proportions_ztest([450, 500], [800, 1000])[1]
    )
