"""Whether rows have moved: both keys, at every number of rows, for every kind of column."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mlcore import DataError, DriftReport, DriftRule, Profile, Window, measure
from mlcore.arrays import FloatArray
from mlcore.distances import adjusted, chi_square_sparse, psi
from mlcore.drift import with_quality
from mlcore.quality import check_quality
from mlcore.two_samples import standardized_shift
from tests import pace
from tests.mlcore.classifiers import classifier, softmax
from tests.mlcore.monitored import (
    LEVELS,
    LEVELS_NOW,
    levels_profile,
    levels_window,
    older,
    profile_of,
    samples,
    window_of,
)

KINDS = ("normal", "lognormal", "poisson", "t3", "rounded", "zero_inflated")


def drawn(kind: str, n: int, rng: np.random.Generator) -> FloatArray:
    if kind == "lognormal":
        return rng.lognormal(size=n)
    if kind == "poisson":
        return rng.poisson(3, n).astype(np.float64)
    if kind == "t3":
        return rng.standard_t(3, n)
    values = rng.normal(size=n)
    if kind == "rounded":
        return np.round(values, 1)
    return np.where(rng.random(n) < 0.4, 0.0, values) if kind == "zero_inflated" else values


def report_of(ref: FloatArray, cur: FloatArray, rule: DriftRule | None = None) -> DriftReport:
    profile = profile_of(ref)
    return measure(profile, window_of(profile, cur), rule)


def statistic(report: DriftReport, name: str, place: int = 0) -> float:
    found = report.features[place].result(name)
    assert found is not None
    assert found.statistic is not None
    return found.statistic


def test_it_works() -> None:
    """The published sample: 1000 rows of the training are on the grid, each of them."""
    ref, cur = samples()
    report = report_of(ref, cur)
    assert statistic(report, "ks") == pytest.approx(0.143, abs=1e-12)
    assert statistic(report, "wasserstein") == pytest.approx(0.2992435796077186, abs=0.001)
    assert statistic(report, "z_shift") == pytest.approx(0.26328491107754953, rel=1e-9)
    z = report.features[0].result("z_shift")
    assert z is not None
    assert z.p_value == pytest.approx(1.280501984689356e-06, rel=1e-6)
    assert statistic(report, "psi") == pytest.approx(0.1226, abs=0.005)
    assert statistic(report, "jensen_shannon") == pytest.approx(0.1486, abs=0.005)
    assert (report.verdict, report.drifted, report.share_drifted) == ("drift", ("x0",), 1.0)
    assert report.drift_score == pytest.approx(0.26328491107754953, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1001, 5000])
@pytest.mark.parametrize(("m", "shift"), [(60, 0.0), (500, 0.3), (20_000, 0.1)])
def test_a_profile_says_what_the_rows_would(kind: str, n: int, m: int, shift: float) -> None:
    rng = np.random.default_rng([n, m])
    ref, cur = drawn(kind, n, rng), drawn(kind, m, rng) + shift
    report = report_of(ref, cur)
    d = stats.ks_2samp(ref, cur, method="asymp").statistic
    assert statistic(report, "ks") == pytest.approx(d, abs=0.002)
    distance = stats.wasserstein_distance(ref, cur) / ref.std()
    # Where a cell is wide because the tail is heavy, the functions may cross inside it more than once.
    near = 0.005 if kind == "t3" else 0.002
    assert statistic(report, "wasserstein") / ref.std() == pytest.approx(distance, abs=near)
    expected = standardized_shift(ref, cur)
    assert statistic(report, "z_shift") == pytest.approx(expected.z, rel=1e-6, abs=1e-9)
    ranks = stats.mannwhitneyu(cur, ref, use_continuity=False).statistic / n / m
    assert statistic(report, "mann_whitney") == pytest.approx(ranks, abs=0.002)


@pytest.mark.parametrize("n", [720, 5000])
def test_older_bundles_are_monitored_with_what_they_have(n: int) -> None:
    rng = np.random.default_rng(n)
    ref, cur = rng.normal(size=n), rng.normal(0.3, 1.0, 600)
    profile = older(profile_of(ref), ref)
    report = measure(profile, window_of(profile, cur))
    assert report.drifted == ("x0",)
    d = stats.ks_2samp(ref, cur, method="asymp").statistic
    assert statistic(report, "ks") == pytest.approx(d, abs=0.015)
    distance = stats.wasserstein_distance(ref, cur)
    assert statistic(report, "wasserstein") == pytest.approx(distance, abs=0.02)
    same = measure(profile, window_of(profile, rng.normal(size=600)))
    assert same.verdict == "no_drift"
    assert "label" not in [found.name for found in same.outputs]


def alarms(m: int, shift: float, repeats: int, seed: int) -> float:
    """How often the first of seven columns, or any where nothing has moved, is said to drift."""
    rng = np.random.default_rng(seed)
    kinds = ("normal", "normal", "normal", "lognormal", "poisson", "t3", "rounded")
    profile = profile_of(*(drawn(kind, 5000, rng) for kind in kinds))
    found = 0
    for _ in range(repeats):
        cur = [drawn(kind, m, rng) for kind in kinds]
        cur[0] += shift
        report = measure(profile, window_of(profile, *cur))
        found += report.verdict == "drift" if shift == 0 else report.features[0].drifted
    return found / repeats


@pytest.mark.parametrize(("m", "repeats"), [(50, 150), (100, 150), (500, 100), (20_000, 10)])
def test_rows_like_the_training_raise_no_alarm_at_any_size(m: int, repeats: int) -> None:
    assert alarms(m, 0.0, repeats, seed=m) <= 0.03


def test_rare_events_raise_no_alarm() -> None:
    """Seven columns that are 1 in some rows of thousands: two such rows in fifty prove nothing."""
    rng = np.random.default_rng(13)
    chances = (0.01, 0.001, 0.0005, 0.0002, 0.0001, 0.0001, 0.0001)
    found = []
    for _ in range(30):
        profile = profile_of(*(rng.random((5000, 7)) < chances).astype(float).T)
        for _ in range(5):
            window = window_of(profile, *(rng.random((50, 7)) < chances).astype(float).T)
            found.append(measure(profile, window).verdict)
    assert found.count("drift") <= 4


def test_events_that_became_ten_times_as_frequent_have_drifted() -> None:
    rng = np.random.default_rng(14)
    report = report_of(
        *((rng.random(n) < q).astype(float) for n, q in ((5000, 0.004), (200, 0.05)))
    )
    assert report.verdict == "drift"


def test_levels_that_the_training_has_missed_raise_no_alarm() -> None:
    rng = np.random.default_rng(15)
    names = [f"level{k}" for k in range(200)]
    shares = np.arange(1.0, 201.0) ** -2
    found = []
    for _ in range(20):
        before, now = (rng.multinomial(5000, shares / shares.sum()).tolist() for _ in range(2))
        known = {name: count for name, count in zip(names, before, strict=True) if count}
        live = {name: count for name, count in zip(names, now, strict=True) if count}
        profile = levels_profile(**known)
        found.append(measure(profile, levels_window(profile, **live)).verdict)
    assert found.count("drift") <= 2


@pytest.mark.parametrize(("m", "shift"), [(100, 0.5), (500, 0.25)])
def test_a_shift_is_found_as_soon_as_it_can_be(m: int, shift: float) -> None:
    assert alarms(m, shift, 100, seed=m) >= 0.85


def test_a_tiny_shift_of_many_rows_is_evidence_without_effect() -> None:
    rng = np.random.default_rng(6)
    report = report_of(rng.normal(size=50_000), rng.normal(0.05, 1, 50_000))
    [feature] = report.features
    assert (feature.verdict, report.verdict, report.possible) == ("possible", "possible", ("x0",))
    assert feature.effect is not None
    assert feature.effect < 0.1
    assert report.drifted == ()


def test_an_effect_is_possible_drift_only_with_some_evidence() -> None:
    rng = np.random.default_rng(7)
    ref, cur = rng.normal(size=5000), rng.normal(size=50)
    report = report_of(ref, cur)
    assert report.features[0].effect is not None
    assert report.features[0].effect >= 0.1
    assert report.verdict == "no_drift"
    assert report_of(ref, cur, DriftRule(possible_alpha=1.0)).verdict == "possible"


def test_few_rows_get_no_verdict_but_all_numbers() -> None:
    rng = np.random.default_rng(8)
    ref, cur = rng.normal(size=1000), rng.normal(3, 1, 49)
    report = report_of(ref, cur)
    assert report.verdict == "insufficient_data"
    assert {found.verdict for found in report.features[0].results} == {"insufficient_data"}
    assert statistic(report, "ks") > 0.8
    assert report_of(ref, cur, DriftRule(min_rows=49)).verdict == "drift"


def test_a_constant_column_that_stays_has_not_moved() -> None:
    report = report_of(np.full(200, 0.1), np.full(100, 0.1))
    assert (report.verdict, report.drift_score) == ("no_drift", 0.0)


@pytest.mark.parametrize("value", [0.2, -7.0])
def test_a_constant_column_that_became_another_is_never_divided_by(value: float) -> None:
    report = report_of(np.full(200, 0.1), np.full(100, value))
    assert report.drifted == ("x0",)
    assert report.drift_score is None
    told = report.to_dict()["features"][0]
    assert told["effect"] is None
    assert {found["name"]: found["value"] for found in told["results"]}["z_shift"] is None
    assert statistic(report, "psi") > 5


def test_a_column_without_values_has_nothing_to_compare() -> None:
    report = report_of(np.arange(200.0), np.full(100, np.nan))
    [feature] = report.features
    assert (feature.verdict, feature.n_cur, feature.missing) == ("insufficient_data", 0, 100)
    assert feature.result("ks") is None
    assert statistic(report, "psi") > 4


def test_no_rows_say_nothing() -> None:
    profile = profile_of(np.arange(200.0))
    report = measure(profile, Window.empty(profile))
    assert (report.verdict, report.drift_score, report.n_cur) == ("insufficient_data", None, 0)
    assert report.features[0].results == report.outputs == ()


def test_levels_without_live_rows_say_nothing() -> None:
    profile = levels_profile(dark=30, red=20)
    [feature] = measure(profile, Window.empty(profile)).features
    assert (feature.verdict, feature.n_ref, feature.n_cur) == ("insufficient_data", 50, 0)
    assert (feature.results, feature.effect, feature.p_value) == ((), None, None)


def test_values_beyond_the_training_count() -> None:
    for value in (1e9, -1e9, 1e150):
        report = report_of(np.arange(100.0), np.full(100, value))
        assert report.drifted == ("x0",)
        assert statistic(report, "psi") > 4
        assert statistic(report, "wasserstein") == pytest.approx(abs(value), rel=1e-6)


def test_p_values_are_corrected_over_the_features() -> None:
    rng = np.random.default_rng(9)
    ref = rng.normal(size=(4, 1000))
    profile = profile_of(*ref)
    report = measure(profile, window_of(profile, *(rng.normal(0.02 * k, 1, 300) for k in range(4))))
    for name in ("ks", "psi", "z_shift"):
        found = [feature.result(name) for feature in report.features]
        p_values = [result.p_value for result in found if result]
        expected = adjusted([p for p in p_values if p is not None])
        assert [result.p_adjusted for result in found if result] == pytest.approx(expected)
    evidence = [feature.p_value for feature in report.features]
    expected = adjusted([p for p in evidence if p is not None])
    assert [feature.p_adjusted for feature in report.features] == pytest.approx(expected)


def test_the_index_keeps_its_habits() -> None:
    rng = np.random.default_rng(10)
    ref = rng.normal(size=5000)
    found = [
        report_of(ref, rng.normal(shift, 1, 5000)).features[0].result("psi")
        for shift in (0, 0.4, 1)
    ]
    assert [result.verdict for result in found if result] == ["no_drift", "possible", "drift"]
    few = report_of(ref, np.random.default_rng(2).normal(size=60)).features[0].result("psi")
    assert few is not None
    assert few.value is not None
    assert (few.value >= 0.1, few.verdict) == (True, "no_drift")


def test_levels() -> None:
    names = ("a", "b", "c", "d")
    profile = levels_profile(**dict(zip(names[:3], LEVELS, strict=False)))
    window = levels_window(profile, **dict(zip(names, LEVELS_NOW, strict=True)))
    [feature] = (report := measure(profile, window)).features
    assert statistic(report, "jensen_shannon") == pytest.approx(0.16007546605325787, rel=1e-12)
    assert statistic(report, "l_infinity") == pytest.approx(0.05, rel=1e-12)
    assert statistic(report, "psi") == pytest.approx(psi(LEVELS, LEVELS_NOW), rel=1e-12)
    test = chi_square_sparse(LEVELS, LEVELS_NOW, gathered=3)
    assert feature.p_value == pytest.approx(test.p_value)
    assert (feature.verdict, feature.unseen, feature.kind) == ("drift", 40, "category")


def test_levels_like_those_of_the_training_have_not_moved() -> None:
    profile = levels_profile(missing=50, dark=30, red=20)
    report = measure(profile, levels_window(profile, missing=100, dark=60, red=40))
    assert report.verdict == "no_drift"
    assert statistic(report, "psi") == pytest.approx(0.0, abs=1e-4)
    assert statistic(report, "jensen_shannon") == 0.0


def test_half_of_many_levels_vanish_and_it_shows() -> None:
    """No share moves by more than 0.02, and half of the rows are gone elsewhere."""
    profile = levels_profile(**{f"level{k}": 50 for k in range(100)})
    window = levels_window(profile, **{f"level{k}": 10 for k in range(50)})
    assert measure(profile, window).verdict == "drift"


def test_outputs_are_told_apart_from_the_features() -> None:
    rng = np.random.default_rng(11)
    ref = rng.normal(size=1000)
    profile = profile_of(ref, threshold=0.5)
    window = Window.empty(profile)
    window.add(rng.normal(size=(400, 1)), None, rng.random(400) ** 3, np.ones(400, np.int64))
    report = measure(profile, window, labels=[200, 200])
    kinds = {found.name: (found.kind, found.verdict) for found in report.outputs}
    assert kinds == {
        "score": ("score", "drift"),
        "prediction": ("prediction", "drift"),
        "label": ("label", "no_drift"),
    }
    assert report.verdict == "no_drift"
    without = measure(profile, window, labels=[0, 0])
    assert [found.name for found in without.outputs] == ["score", "prediction"]
    with pytest.raises(DataError, match="counts of 2 classes"):
        measure(profile, window, labels=[1, 2, 3])


def test_three_classes_have_three_rates() -> None:
    profile = classifier(softmax(3)).profile
    window = Window.empty(profile)
    window.add(np.zeros((60, 3)), None, np.full((60, 3), 1 / 3), np.zeros(60, np.int64))
    [score, prediction] = measure(profile, window).outputs
    assert (score.n_cur, prediction.n_cur, prediction.n_ref) == (60, 60, 60)


def test_a_report_is_json() -> None:
    ref, cur = samples()
    told = json.loads(json.dumps(report_of(ref, cur).to_dict(), allow_nan=False))
    [feature] = told["features"]
    assert {found["name"] for found in feature["results"]} == {
        "z_shift", "psi", "ks", "mann_whitney", "jensen_shannon", "wasserstein",
    }  # fmt: skip
    ks = next(found for found in feature["results"] if found["name"] == "ks")
    assert ks.keys() == {
        "name", "feature", "statistic", "value", "threshold", "direction", "p_value", "p_adjusted",
        "n_ref", "n_cur", "verdict", "drifted",
    }  # fmt: skip
    assert (ks["direction"], ks["value"], ks["threshold"]) == ("below", ks["p_adjusted"], 0.01)
    assert (ks["n_ref"], ks["n_cur"], ks["drifted"]) == (1000, 800, True)


def test_it_refuses_the_window_of_another_profile() -> None:
    first, other = profile_of(np.arange(10.0)), profile_of(np.arange(11.0))
    with pytest.raises(DataError, match="another profile"):
        measure(first, window_of(other, np.arange(5.0)))
    same: Profile = replace(first)
    assert measure(same, window_of(first, np.arange(5.0))).n_cur == 5


def test_it_is_judged_in_an_instant() -> None:
    """Generous: it takes 10 ms on a quiet machine."""
    rng = np.random.default_rng(12)
    profile = profile_of(*rng.normal(size=(7, 5000)))
    window = window_of(profile, *rng.normal(size=(7, 1000)))
    before = time.process_time()
    measure(profile, window)
    assert time.process_time() - before < pace.seconds(0.3)
    assert math.isfinite(measure(profile, window).drift_score or 0.0)


def test_a_column_that_is_missing_now_has_drifted() -> None:
    reference, _ = samples()
    profile = profile_of(reference, reference[::-1])
    window = window_of(profile, np.full(500, np.nan), reference[:500])
    before = measure(profile, window)
    assert [found.verdict for found in before.features] == ["insufficient_data", "no_drift"]
    assert before.verdict == "no_drift"
    after = with_quality(before, check_quality(profile, window).results)
    assert (after.verdict, after.drifted, after.share_drifted) == ("drift", ("x0",), 0.5)
    assert after.features[1] == before.features[1]


def test_values_out_of_range_are_no_drift_by_themselves() -> None:
    reference, _ = samples()
    profile = profile_of(reference)
    window = window_of(profile, np.append(reference[:460], np.full(40, 1e6)))
    checks = check_quality(profile, window).results
    before = measure(profile, window, DriftRule(wasserstein=1e9))
    assert next(check for check in checks if check.name == "out_of_range").drifted
    assert with_quality(before, checks).verdict == before.verdict


@pytest.mark.parametrize(("n", "verdict"), [(9, "insufficient_data"), (50, "drift")])
def test_a_tiny_training_gives_no_verdict(n: int, verdict: str) -> None:
    profile = profile_of(np.arange(float(n)))
    window = window_of(profile, np.full(300, 1e3))
    report = with_quality(measure(profile, window), check_quality(profile, window).results)
    [feature] = report.features
    assert (report.verdict, feature.verdict) == (verdict, verdict)
    assert {found.verdict for found in feature.results} == {verdict}
    assert feature.effect is not None
    assert report.drift_score is not None


@pytest.mark.parametrize(("moved", "score"), [(3.0, 3.0), (1e6, 10.0), (1e150, 10.0)])
def test_the_score_counts_no_feature_beyond_a_limit(moved: float, score: float) -> None:
    profile = profile_of(np.tile([-1.0, 1.0], 100), np.tile([-1.0, 1.0], 100))
    window = window_of(profile, np.tile([-1.0, 1.0], 50) + moved, np.tile([-1.0, 1.0], 50))
    report = measure(profile, window)
    assert report.drift_score == pytest.approx(score / 2)
    assert statistic(report, "z_shift") == pytest.approx(moved)
