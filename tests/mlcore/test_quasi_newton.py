"""The way down on large data: few passes, and the optimum that plain Newton finds.

Data are large here where a sample opens the search: eight times 4096 rows.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mlcore import NewtonSettings, NotConvergedWarning, newton
from mlcore.history import Recorder
from mlcore.objective import CurvedEvaluation, Evaluation, Objective
from mlcore.quasi_newton import Limits, minimise
from mlcore.rows import Block, Kernel, Rows, as_rows
from tests.mlcore.problems import Counted, class_problem, labelled, random_problem
from tests.mlcore.reference import optimum, softmax_optimum

N = 40_000
Problem = tuple[np.ndarray, np.ndarray]


def base(seed: int = 0, d: int = 4) -> Problem:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d)))
    return X, labelled(X, np.append(rng.normal(size=d), -0.5), rng)


def ordered(keys: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Problem:
    X, y = base()
    order = np.argsort(keys(X, y), kind="stable")
    return X[order], y[order]


def rare_positives() -> Problem:
    X, _ = base(1)
    return X, labelled(X, np.array([0.5, -0.5, 0.2, 0.0, -7.5]), np.random.default_rng(2))


def heavy_tails() -> Problem:
    rng = np.random.default_rng(3)
    X = np.exp(1.2 * rng.normal(size=(N, 4)))
    return X, labelled(X, np.array([0.5, -0.3, 0.1, -0.2, 0.0]), rng)


def near_separable() -> Problem:
    X, _ = base(4)
    return X, labelled(X, np.array([30.0, -20.0, 10.0, 5.0, 1.0]), np.random.default_rng(5))


def nearly_collinear() -> Problem:
    X, y = base(6)
    X[:, 1] = X[:, 0] + 1e-4 * np.random.default_rng(7).normal(size=N)
    return X, y


def rare_dummies() -> Problem:
    rng = np.random.default_rng(8)
    levels = rng.integers(0, 400, size=N)
    X = (levels[:, np.newaxis] == np.arange(12)).astype(np.float64)
    return X, labelled(X, np.append(2 * rng.normal(size=12), -1.0), rng)


def constant_in_the_sample() -> Problem:
    X, y = base(9)
    sampled = np.zeros(N, dtype=bool)
    sample = as_rows(np.arange(N, dtype=np.float64)[:, np.newaxis], y).sample(8)
    assert sample is not None
    for block in sample.blocks():
        sampled[block.X[:, 0].astype(int)] = True
    X[:, 3] = np.where(sampled, 0.0, np.abs(X[:, 3]))
    return X, y


HARD: dict[str, Callable[[], Problem]] = {
    "plain": base,
    "sorted by y": lambda: ordered(lambda X, y: y),
    "sorted by x": lambda: ordered(lambda X, y: X[:, 0]),
    "rare positives": rare_positives,
    "heavy tails": heavy_tails,
    "near-separable": near_separable,
    "nearly collinear": nearly_collinear,
    "rare dummies": rare_dummies,
    "constant in the sample": constant_in_the_sample,
}


def distance(found: np.ndarray, X: np.ndarray, y: np.ndarray, lambda_: float) -> float:
    """The largest distance from the optimum of plain Newton, in standard errors."""
    best = optimum(X, y, lambda_)
    X1 = np.column_stack((X, np.ones(len(X))))
    p = 1 / (1 + np.exp(-X1 @ best))
    H = X1.T @ (X1 * (p * (1 - p))[:, None])
    H += len(y) * lambda_ * np.diag(np.append(np.ones(X.shape[1]), 0.0))
    return float((np.abs(found - best) / np.sqrt(np.diag(np.linalg.inv(H)))).max())


@pytest.mark.parametrize("lambda_", [0.0, 1 / N])
@pytest.mark.parametrize("make", HARD.values(), ids=HARD)
def test_hard_data_are_solved(make: Callable[[], Problem], lambda_: float) -> None:
    X, y = make()
    report = newton(X, y, settings=NewtonSettings(lambda_=lambda_))
    assert report.converged, report.message
    assert distance(report.theta, X, y, lambda_) < 2e-6
    assert report.decrement <= 1e-6
    # Surely classified rows without a penalty are looked at twice: they might be separated.
    assert report.iterations <= (20 if make is near_separable else 12)


def test_a_huge_start_is_not_followed() -> None:
    X, y = base()
    for start in (np.full(5, 1e6), np.full(5, -1e300), np.array([1e308, 0, 0, 0, 0])):
        report = newton(X, y, start=start, settings=NewtonSettings(lambda_=0.0))
        assert report.converged
        assert distance(report.theta, X, y, 0.0) < 2e-6


class Passes(Objective):
    """An objective that keeps a list of the passes over its rows."""

    def __init__(self, rows: Rows, lambda_: float) -> None:
        super().__init__(rows, lambda_)
        self.kinds: list[str] = []

    def slope(self, theta: np.ndarray) -> Evaluation:
        self.kinds.append("slope")
        return super().slope(theta)

    def curved(self, theta: np.ndarray) -> CurvedEvaluation:
        self.kinds.append("curved")
        return super().curved(theta)


def passes(rows: Rows, *, start: np.ndarray | None = None) -> tuple[Passes, list[str]]:
    objective = Passes(rows, 1 / N)
    objective.curvature_is_cheap = False
    end = minimise(objective, Limits(1e-6, 50), start=start, recorder=Recorder(rows, None))
    assert end.reason == "converged"
    return objective, objective.kinds


def test_large_data_need_no_hessian_of_all_rows() -> None:
    _, kinds = passes(as_rows(*base()))
    assert kinds.count("curved") == 0
    assert kinds.count("slope") <= 7


def test_without_a_sample_one_hessian_is_enough() -> None:
    X, y = base()
    source = Counted(X, y, 5000)
    _, kinds = passes(as_rows(source))
    assert kinds.count("curved") == 1
    assert kinds.count("slope") <= 7


def test_a_hessian_is_made_anew_where_bfgs_is_lost() -> None:
    X, y = near_separable()
    objective, kinds = passes(as_rows(X, y), start=np.array([0.1, 0, 0, 0, 0]))
    assert kinds[0] == "curved"
    assert kinds.count("curved") > 1
    end = minimise(objective, Limits(1e-6, 50))
    assert distance(end.at.theta, X, y, 1 / N) < 2e-6


def test_a_stream_is_read_once_a_pass() -> None:
    X, y = base()
    source = Counted(X, y, 5000)
    report = newton(source)
    assert report.converged
    assert source.passes <= 2 + 1 + 1 + report.iterations + 4
    assert report.theta == pytest.approx(newton(X, y).theta, abs=1e-6)


def test_few_positives_leave_the_sample_aside() -> None:
    X, _ = base()
    y = np.zeros(N)
    y[23_001:23_005] = 1.0
    report = newton(X, y)
    assert report.converged
    assert distance(report.theta, X, y, 0.01) < 2e-6


def test_the_unit_of_the_weights_does_not_matter() -> None:
    X, y = base()
    s = np.random.default_rng(0).uniform(0.5, 2.0, size=N)
    plain = newton(X, y, s)
    for unit in (1e-6, 1e6):
        scaled = newton(X, y, s * unit, settings=NewtonSettings(tolerance=1e-6 * unit**0.5))
        assert scaled.theta == pytest.approx(plain.theta, abs=1e-7)


def test_more_classes_on_large_data() -> None:
    X, y = class_problem(0, n=N)
    report = newton(X, y, settings=NewtonSettings(lambda_=1e-3))
    assert report.converged
    assert report.theta.reshape(3, 4) == pytest.approx(softmax_optimum(X, y, 1e-3), abs=1e-6)


def test_standardised_large_data_are_sampled_too() -> None:
    X, y = base()
    scaled = newton(X * [1, 1e5, 1e-5, 1] + 1e3, y, settings=NewtonSettings(standardise=True))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    assert scaled.theta == pytest.approx(optimum(Z, y, 0.01), abs=1e-7)


def test_a_separable_sample_of_inseparable_data() -> None:
    X, y = base(10)
    chosen = as_rows(np.arange(N, dtype=np.float64)[:, np.newaxis], y).sample(8)
    assert chosen is not None
    rows = np.concatenate([block.X[:, 0] for block in chosen.blocks()]).astype(int)
    y = y.copy()
    y[rows] = X[rows, 0] > 0
    report = newton(X, y, settings=NewtonSettings(lambda_=0.0))
    assert report.converged
    assert distance(report.theta, X, y, 0.0) < 2e-6


def test_a_sample_that_misleads_is_left_aside() -> None:
    X, y = base(10)
    chosen = as_rows(np.arange(N, dtype=np.float64)[:, np.newaxis], y).sample(8)
    assert chosen is not None
    rows = np.concatenate([block.X[:, 0] for block in chosen.blocks()]).astype(int)
    y = 1.0 - y
    y[rows] = 1.0 - y[rows]
    report = newton(X, y, settings=NewtonSettings(lambda_=0.0))
    assert report.converged
    assert distance(report.theta, X, y, 0.0) < 2e-6


def test_separable_large_data_are_told() -> None:
    X, y = base(11)
    with pytest.warns(NotConvergedWarning, match="are separated"):
        report = newton(X, X[:, 0] > 0.1, settings=NewtonSettings(lambda_=0.0))
    assert report.separation is not None
    assert report.separation.rows == N


class Climbing(Objective):
    """An objective that seems to climb with every pass after the first honest ones."""

    honest, calls = 1, 0

    def _values(
        self, theta: np.ndarray, sums: np.ndarray
    ) -> tuple[float, float, np.ndarray, float]:
        F, *others = super()._values(theta, sums)
        self.calls += 1
        return F + max(self.calls - self.honest, 0), *others


@pytest.mark.parametrize(("is_cheap", "honest"), [(True, 1), (False, 1), (False, 2)])
def test_a_search_that_finds_nothing_lower_says_so(is_cheap: bool, honest: int) -> None:
    X, y = random_problem(0, n=400)
    objective = Climbing(as_rows(X, y), 0.01)
    objective.curvature_is_cheap, objective.honest = is_cheap, honest
    recorder = Recorder(objective.rows, None)
    end = minimise(objective, Limits(1e-9, 50), start=0.3 * optimum(X, y, 0.01), recorder=recorder)
    assert end.reason == "stalled"
    assert end.decrement > 1e-3
    assert len(recorder.history) == honest - 1


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Problem]:
    n, d = 200_000, 28
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=np.float32, shape=(n, d))
    y = np.empty(n)
    theta = np.append(rng.normal(size=d), 0.3) / 3
    for start in range(0, n, 20_000):
        part = slice(start, start + 20_000)
        X[part] = rng.normal(size=(20_000, d))
        y[part] = labelled(np.asarray(X[part], dtype=np.float64), theta, rng)
    X.flush()
    del X
    yield np.load(tmp_path / "X.npy", mmap_mode="r"), y


@pytest.mark.parametrize("standardise", [False, True])
def test_a_file_is_solved_in_8_mebibytes(on_disk: Problem, standardise: bool) -> None:
    X, y = on_disk
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        report = newton(X, y, settings=NewtonSettings(standardise=standardise))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.converged
    assert peak - before < 8 * 2**20


def test_blocks_are_counted_as_they_are_read() -> None:
    """The counting source itself: a pass is a pass."""
    X, y = base()
    source = Counted(X, y, 7000)

    def kernel() -> Kernel:
        def size(block: Block) -> np.ndarray:
            return np.array([float(len(block.y))])

        return size

    assert as_rows(source).total(kernel).tolist() == [N]
    assert source.passes == 1
