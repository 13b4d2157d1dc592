from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import DataError
from mlcore.streams import CLOCK, Adwin, PageHinkley

Detector = Adwin | PageHinkley
KINDS: tuple[Any, ...] = (
    Adwin,
    lambda: Adwin(delta=0.3),
    PageHinkley,
    lambda: PageHinkley(threshold=3.0, warm_up=1),
)
STREAMS = st.lists(st.tuples(st.floats(-50, 50), st.integers(1, 60)), min_size=1, max_size=8).map(
    lambda runs: [value for value, count in runs for _ in range(count)]
)


def errors() -> np.ndarray:
    """An error rate that rises from 0.10 to 0.25 at 2000."""
    rng = np.random.default_rng(0)
    return np.r_[rng.binomial(1, 0.10, 2000), rng.binomial(1, 0.25, 2000)]


def gauss() -> np.ndarray:
    """A mean that rises by half a standard deviation at 2000."""
    rng = np.random.default_rng(1)
    return np.r_[rng.normal(0, 1, 2000), rng.normal(0.5, 1, 2000)]


def steady() -> np.ndarray:
    return np.random.default_rng(2).binomial(1, 0.15, 20_000)


def varied() -> np.ndarray:
    """Shifts of mean and of scale, a constant stretch, heavy tails and zeros and ones."""
    rng = np.random.default_rng(11)
    return np.concatenate(
        [
            rng.normal(0, 1, 700),
            rng.normal(1.5, 1, 300),
            rng.normal(1.5, 4, 900),
            np.full(200, -2.0),
            rng.standard_t(3, 1500),
            rng.binomial(1, 0.4, 1200),
        ]
    )


def test_the_streams_are_those_of_the_reference() -> None:
    stream = errors()
    assert (stream[:2000].sum(), stream[2000:].sum()) == (199, 488)


@pytest.mark.parametrize(
    ("detector", "stream", "alarms"),
    [
        (Adwin(), errors, [2335]),
        (Adwin(), gauss, [2079]),
        (Adwin(), steady, []),
        (Adwin(), varied, [735, 1951, 2143, 4607]),
        (Adwin(delta=0.3), varied, [735, 1087, 1919, 2111, 3999]),
        (PageHinkley(), errors, [2376]),
        (PageHinkley(), gauss, [1781, 2112, 2998, 3805]),
        (PageHinkley(), steady, []),
        (PageHinkley(threshold=20), errors, [883, 2074, 2523, 3486]),
        (
            PageHinkley(threshold=20),
            steady,
            [1770, 2863, 3233, 4538, 7161, 14874, 15278, 17448],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_it_alarms_where_river_does(detector: Detector, stream: Any, alarms: list[int]) -> None:
    assert detector.update_many(stream()) == alarms


@pytest.mark.parametrize(("delta", "total"), [(0.002, 4_081_728), (0.3, 2_798_908)])
def test_the_window_of_adwin_is_as_wide_as_that_of_river_after_every_value(
    delta: float, total: int
) -> None:
    detector = Adwin(delta=delta)
    widths = []
    for value in varied().tolist():
        detector.update(value)
        widths.append(detector.width)
    assert sum(widths) == total


@pytest.mark.parametrize("make", KINDS)
@settings(max_examples=60, deadline=None)
@given(stream=STREAMS, cut=st.integers(0, 480))
def test_a_state_that_was_stored_goes_on_as_if_never_stopped(
    make: Any, stream: list[float], cut: int
) -> None:
    whole, first = make(), make()
    alarms = whole.update_many(stream)
    before = first.update_many(stream[:cut])
    stored = json.dumps(first.to_dict(), allow_nan=False)
    second = type(first).from_dict(json.loads(stored))
    after = second.update_many(stream[cut:])
    assert before + [len(stream[:cut]) + place for place in after] == alarms
    assert second == whole


@pytest.mark.parametrize("make", KINDS)
@settings(max_examples=30, deadline=None)
@given(stream=STREAMS)
def test_one_by_one_is_the_same_as_many(make: Any, stream: list[float]) -> None:
    many, single = make(), make()
    alarms = many.update_many(stream)
    assert [place for place, x in enumerate(stream) if single.update(x)] == alarms
    assert single == many


@settings(max_examples=60, deadline=None)
@given(stream=STREAMS, delta=st.sampled_from([0.002, 0.3]))
def test_adwin_knows_the_mean_and_the_squares_of_its_last_values(
    stream: list[float], delta: float
) -> None:
    detector = Adwin(delta=delta)
    detector.update_many(stream)
    window = np.array(stream[-detector.width :])
    assert detector.estimate == pytest.approx(window.mean(), abs=1e-9)
    squares = float(((window - window.mean()) ** 2).sum())
    assert detector.squares == pytest.approx(squares, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("n", [100, 10_000, 200_000])
def test_the_memory_of_adwin_grows_with_the_logarithm(n: int) -> None:
    detector = Adwin()
    detector.update_many(np.tile([0.0, 1.0], n // 2))
    assert detector.width == n
    assert sum(map(len, detector.rows)) <= 5 * (math.log2(n) + 1)
    assert len(json.dumps(detector.to_dict())) < 5000


def test_adwin_looks_only_every_32nd_value() -> None:
    jump = [0.0] * 1000 + [1.0] * 200
    (first, *_) = Adwin().update_many(jump)
    assert (first + 1) % CLOCK == 0


def test_page_hinkley_alarms_at_a_fall_too() -> None:
    rng = np.random.default_rng(5)
    detector = PageHinkley(threshold=20)
    values = np.r_[rng.normal(0, 0.1, 500), rng.normal(-1, 0.1, 100)]
    (first, *_) = detector.update_many(values)
    assert 500 <= first < 530
    assert detector.estimate is not None
    assert detector.estimate < -0.9


@pytest.mark.parametrize("detector", [Adwin(), PageHinkley()])
def test_nothing_is_known_before_the_first_value(detector: Detector) -> None:
    assert (detector.width, detector.estimate) == (0, None)
    assert detector.update_many([]) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e200])
@pytest.mark.parametrize("make", [Adwin, PageHinkley])
def test_a_bad_value_is_refused_and_changes_nothing(make: Any, bad: float) -> None:
    detector = make()
    with pytest.raises(DataError, match="value 1 of a stream"):
        detector.update_many([0.0, bad, 1.0])
    with pytest.raises(DataError, match="a stream holds numbers"):
        detector.update(bad)
    assert detector == make()


@pytest.mark.parametrize("values", [[[0.0, 1.0]], ["x"], 1.0])
def test_it_refuses_what_is_no_stream(values: Any) -> None:
    with pytest.raises(DataError, match="stream"):
        Adwin().update_many(values)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Adwin(delta=0.0),
        lambda: Adwin(delta=1.0),
        lambda: PageHinkley(threshold=0.0),
        lambda: PageHinkley(delta=-1.0),
        lambda: PageHinkley(alpha=1.5),
        lambda: PageHinkley(warm_up=0),
    ],
)
def test_it_refuses_settings_that_mean_nothing(make: Any) -> None:
    with pytest.raises(DataError):
        make()


def test_integers_of_a_database_become_floats_again() -> None:
    detector = Adwin()
    detector.update_many([1e22] * 12)
    stored = json.loads(json.dumps(detector.to_dict()).replace("1e+22", "1" + "0" * 22))
    again = Adwin.from_dict(stored)
    assert again == detector
    assert all(type(part) is float for row in again.rows for bucket in row for part in bucket)


ADWIN = {**Adwin().to_dict(), "width": 3, "rows": [[[1.0, 0.0]], [[2.0, 0.0]]]}


def test_the_state_that_is_damaged_below_is_sound() -> None:
    assert Adwin.from_dict(ADWIN).width == 3


@pytest.mark.parametrize(
    "change",
    [
        {"detector": "page_hinkley"},
        {"more": 1},
        {"delta": 2.0},
        {"delta": True},
        {"delta": "0.1"},
        {"delta": None},
        {"total": math.nan},
        {"total": 10**400},
        {"width": 4},
        {"width": 3.0},
        {"ticks": -1},
        {"alarmed": 1},
        {"rows": []},
        {"rows": "x"},
        {"rows": [[[1.0, 0.0]], [[2.0, 0.0]], []]},
        {"rows": [[[1.0, 0.0]], [[2.0]]]},
        {"rows": [[[1.0, 0.0]], [[2.0, None]]]},
        {"rows": [[[1.0, 0.0]], [3.0]]},
        {"rows": [[[1.0, 0.0]], {"a": 1}]},
        {"rows": [[[0.0, 0.0]] * 7], "width": 7},
        {"rows": [[]] * 70 + [[[1.0, 0.0]]]},
    ],
)
def test_it_refuses_a_damaged_state(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"adwin|delta"):
        Adwin.from_dict({**ADWIN, **change})


@pytest.mark.parametrize("document", [None, [], "x", {}, {"detector": "page_hinkley"}])
def test_it_refuses_what_is_no_state(document: Any) -> None:
    with pytest.raises(ValueError, match="no state of page_hinkley"):
        PageHinkley.from_dict(document)
