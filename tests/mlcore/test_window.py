"""Summaries of live rows: exact counts, mergeable, small, and nothing but what they say."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import DataError, Profile, Window
from mlcore.grid import Grid
from mlcore.layout import Layout
from tests import pace
from tests.mlcore.classifiers import MIXED, classifier, logistic, some_rows
from tests.mlcore.monitored import levels_profile, levels_window, older, profile_of, window_of

RNG = np.random.default_rng(1)
NORMAL, FEW = RNG.normal(size=3000), RNG.poisson(3, 3000).astype(np.float64)
PROFILE = profile_of(NORMAL, FEW)
OLDER = older(PROFILE, NORMAL, FEW)


def live(n: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 2.0, n), rng.poisson(4, n)))


def test_it_works() -> None:
    rows = live(500)
    window = Window.empty(PROFILE)
    window.add(rows, probabilities=np.linspace(0, 1, 500), predicted=np.arange(500) % 2)
    found = window.number(0)
    assert (window.n_rows, found.n, found.missing) == (500, 500, 0)
    assert (found.minimum, found.maximum) == (rows[:, 0].min(), rows[:, 0].max())
    assert found.below == np.sum(rows[:, 0] < NORMAL.min()) > 0
    assert found.above == np.sum(rows[:, 0] > NORMAL.max()) > 0
    assert found.total == pytest.approx(np.sum((rows[:, 0] - NORMAL.mean()) / NORMAL.std()))
    assert window.predicted.tolist() == [250, 250]
    assert window.number(-1).n == 500


@pytest.mark.parametrize("profile", [PROFILE, OLDER], ids=["now", "older"])
@pytest.mark.parametrize("place", [0, 1])
def test_every_cell_counts_what_lies_in_it(profile: Profile, place: int) -> None:
    rows = live(400)
    values, found = rows[:, place], window_of(profile, *rows.T).number(place)
    edges = np.unique(profile.columns[place].quantiles)
    for k in range(0, len(edges), 37):
        assert found.cells[: 2 * k + 1].sum() == np.sum(values < edges[k])
        assert found.cells[: 2 * k + 2].sum() == np.sum(values <= edges[k])
    center, unit = profile.columns[place].mean, profile.columns[place].sd
    inside = (values > edges[-2]) & (values < edges[-1])
    assert found.sums[-2] == pytest.approx(np.sum((values[inside] - center) / unit))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 99))
def test_many_windows_are_one(sizes: list[int], seed: int) -> None:
    rows = live(sum(sizes), seed)
    rows[seed % 7 :: 7, 0] = np.nan
    whole = window_of(PROFILE, *rows.T)
    parts = [window_of(PROFILE, *part.T) for part in np.split(rows, np.cumsum(sizes)[:-1])]
    merged = Window.empty(PROFILE)
    for part in parts:
        merged = merged.merge(Window.from_bytes(part.to_bytes(), PROFILE))
    assert merged.n_rows == whole.n_rows
    assert merged.counts.tolist() == whole.counts.tolist()
    assert merged.sums == pytest.approx(whole.sums, rel=1e-12, abs=1e-12)
    assert merged.extremes.tolist() == whole.extremes.tolist()


def test_rows_in_any_order_and_form_are_the_same() -> None:
    rows = live(300)
    whole = window_of(PROFILE, *rows.T)
    by_name = Window.empty(PROFILE)
    by_name.add({"x1": rows[::-1, 1].tolist(), "x0": rows[::-1, 0]})
    one_by_one = Window.empty(PROFILE)
    for row in rows:
        one_by_one.add(row[np.newaxis])
    for other in (by_name, one_by_one):
        assert other.counts.tolist() == whole.counts.tolist()
        assert other.sums == pytest.approx(whole.sums, rel=1e-9)


def test_what_was_filled_is_missing() -> None:
    model = classifier(logistic(5), columns=MIXED)
    rows = some_rows(MIXED, 100)
    for row in rows[:30]:
        row[1] = row[2] = None
    columns = model.schema.read(rows)
    window = Window.empty(model.profile)
    window.add(columns, probabilities=model.probabilities(columns))
    assert (window.number(1).n, window.number(1).missing) == (70, 30)
    assert (window.category(2).n, window.category(2).missing) == (70, 30)
    assert window.number(0).missing == 0


def test_holes_are_missing_too() -> None:
    rows = live(10)
    window = Window.empty(PROFILE)
    window.add({"x0": rows[:, 0], "x1": rows[:, 1]}, holes={"x1": rows[:, 1] > -1})
    assert (window.number(0).missing, window.number(1).missing) == (0, 10)


def test_new_levels_are_counted_and_the_first_are_named() -> None:
    profile = levels_profile(dark=3, red=2)
    window = levels_window(profile, missing=4, dark=5, red=1, blue=2)
    found = window.category(0)
    assert (found.counts.tolist(), found.unseen, found.missing) == ([5, 1], 2, 4)
    assert found.texts == {"blue": 2}
    many = levels_window(profile, **{f"level{k}": 1 for k in range(50)})
    merged = window.merge(many).category(0)
    assert (merged.unseen, len(merged.texts), merged.texts["blue"]) == (52, 20, 2)


def test_the_scores_are_there_without_their_rows() -> None:
    scores = np.random.default_rng(3).beta(2, 5, 2000)
    window = Window.empty(PROFILE)
    window.add(live(2000), probabilities=np.column_stack((1 - scores, scores)))
    values, counts = window.scores
    assert counts.sum() == 2000
    assert values @ counts == pytest.approx(scores.sum(), rel=1e-12)
    assert np.average(values > 0.3, weights=counts) == pytest.approx(
        np.mean(scores > 0.3), abs=2e-3
    )


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_neither_small_nor_large_numbers_are_lost(scale: float) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=500) * scale / 10
    found = window_of(profile_of(values), values * 0.5).number(0)
    assert found.squares / found.n == pytest.approx(0.25, rel=0.05)


def test_it_stays_small() -> None:
    window = window_of(PROFILE, *live(50_000).T)
    assert len(window.to_bytes()) < 40_000
    assert len(window_of(PROFILE, *live(1).T).to_bytes()) < 2_000


def test_it_keeps_up_with_many_rows() -> None:
    """Generous: it takes 35 ms on a quiet machine."""
    rng = np.random.default_rng(5)
    profile = profile_of(*rng.normal(size=(7, 5000)))
    rows, window = rng.normal(size=(100_000, 7)), Window.empty(profile)
    before = time.process_time()
    window.add(rows)
    assert time.process_time() - before < pace.seconds(0.5)


def test_it_comes_back_from_bytes() -> None:
    window = levels_window(levels_profile(dark=3, red=2), dark=5, blue=2)
    again = Window.from_bytes(window.to_bytes(), window.layout.profile)
    assert again.to_bytes() == window.to_bytes()
    assert again.category(0) == (pytest.approx([5, 0]), 2, 0, {"blue": 2})
    shared = Window.read(window.to_bytes(), Layout(window.layout.profile))
    assert shared.n_rows == 7


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "no window of version 1"),
        (lambda data: b"\x02" + data[1:], "no window of version 1"),
        (lambda data: data[:1] + b"x" * 8 + data[9:], "another profile"),
        (lambda data: data[:17] + b"junk", "damaged"),
        (lambda data: data[:17] + zlib.compress(b"short"), "damaged"),
        (lambda data: data[:-40], "damaged"),
    ],
)
def test_it_refuses_other_bytes(damage, message: str) -> None:  # type: ignore[no-untyped-def]
    data = window_of(PROFILE, *live(50).T).to_bytes()
    with pytest.raises(DataError, match=message):
        Window.from_bytes(damage(data), PROFILE)


def rewritten(window: Window, change: Callable[[bytes], bytes]) -> bytes:
    data = window.to_bytes()
    return data[:17] + zlib.compress(change(zlib.decompress(data[17:])))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: np.int64(-1).tobytes() + body[8:],
        lambda body: body.replace(b"[]]", b"[],[]]"),
    ],
    ids=["rows below zero", "texts of one column more"],
)
def test_it_refuses_parts_that_do_not_belong_together(change: Callable[[bytes], bytes]) -> None:
    window = window_of(PROFILE, *live(50).T)
    assert Window.from_bytes(rewritten(window, bytes), PROFILE).n_rows == 50
    with pytest.raises(DataError, match="do not belong together"):
        Window.from_bytes(rewritten(window, change), PROFILE)


def test_it_refuses_windows_of_other_profiles() -> None:
    with pytest.raises(DataError, match="cannot be merged"):
        window_of(PROFILE, *live(5).T).merge(window_of(OLDER, *live(5).T))


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        (np.zeros((5, 3)), {}, r"shape \(n, 2\)"),
        ({"x0": [1.0]}, {}, "must be x0, x1"),
        ({"x0": [1.0], "x1": [1.0, 2.0]}, {}, "one length"),
        ({"x0": ["a"], "x1": [1.0]}, {}, "values of x0 must be numbers"),
        (np.zeros((5, 2)), {"probabilities": np.zeros(4)}, "one length"),
        (np.zeros((2, 2)), {"predicted": [0, 2]}, "not one of 0 .. 1"),
        (np.zeros((2, 2)), {"holes": {"x0": [True]}}, "holes"),
    ],
)
def test_it_refuses_what_does_not_fit_and_has_counted_nothing(
    columns: object, more: dict[str, object], message: str
) -> None:
    window = Window.empty(PROFILE)
    with pytest.raises(DataError, match=message):
        window.add(columns, **more)  # type: ignore[arg-type]
    assert window.n_rows == window.counts.sum() == 0


def test_it_knows_numbers_from_categories() -> None:
    window = Window.empty(levels_profile(dark=3, red=2))
    with pytest.raises(DataError, match="colour is no column of numbers"):
        window.number(0)
    with pytest.raises(DataError, match="x0 is no category"):
        Window.empty(PROFILE).category(0)


@pytest.mark.parametrize("n", [1, 60, 999, 1000, 1001, 4321])
def test_a_grid_knows_the_distribution_function_on_its_edges(n: int) -> None:
    """Exactly without repeated values, else within a thousandth."""
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.poisson(3, n).astype(float), np.full(n, 2.0)):
        grid = Grid.of(profile_of(values).columns[0], n)
        reached = np.searchsorted(np.sort(values), grid.edges, side="right")
        below = np.searchsorted(np.sort(values), grid.edges, side="left")
        exact = len(np.unique(values)) == n or n <= 1000
        assert grid.reached == pytest.approx(reached, abs=1e-9 if exact else n / 1000 + 1)
        assert grid.below == pytest.approx(below, abs=1e-9 if exact else n / 1000 + 1)
        assert grid.cells.sum() == pytest.approx(n)
        assert (grid.cells >= 0).all()
        assert grid.decile_counts(grid.cells).sum() == pytest.approx(n)
