"""Time and memory to the same optimum, beside scikit-learn's best solvers and glum, on one thread.

Every solver minimises the same objective (C = 1, that is lambda = 1/n) on the same standardised,
correlated columns. Each gets the loosest tolerance of its ladder with which its gradient falls to
a millionth of that without a model; then all run in turn and their CPU times are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import Bar, interleaved_cpu_seconds, report, summary
from mlcore import NewtonSettings, NotConvergedWarning, newton
from mlcore.arrays import FloatArray
from mlcore.objective import Objective
from mlcore.rows import as_rows

GOOD_ENOUGH = 1e-6
MIB = 2**20
CHUNK = 50_000


@dataclass(frozen=True)
class Case:
    """One size of data, with the largest share of the best peer's time that it may take."""

    n: int
    d: int
    limit: float
    repeats: int
    in_a_row: int = 1

    @property
    def name(self) -> str:
        words = {10**6: "M", 1000: "k"}
        for size, word in words.items():
            if self.n % size == 0 and self.n >= 10 * size**0.5:
                return f"{self.n // size}{word} x {self.d}"
        return f"{self.n} x {self.d}"


CASES = (
    Case(900, 7, 0.30, 31, in_a_row=20),
    Case(100_000, 20, 0.35, 15),
    Case(1_000_000, 28, 0.20, 7),
    Case(2_000_000, 50, 0.12, 7),
)
QUICK = (Case(900, 7, 0.30, 9, in_a_row=20), Case(100_000, 20, 0.35, 7))
LARGEST_EXTRA_MIB = 8.0

Fit = Callable[[FloatArray, FloatArray], FloatArray]
"""X, y -> theta"""


def problem(n: int, d: int) -> tuple[FloatArray, FloatArray]:
    """Correlated columns, standardised in place, and labels of a logistic model."""
    rng = np.random.default_rng(n + d)
    mix = np.eye(d) + 0.5 * rng.normal(size=(d, d)) / np.sqrt(d)
    weights = 2.0 * rng.normal(size=d) / np.sqrt(d)
    X, y = np.empty((n, d)), np.empty(n)
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        X[part] = rng.normal(size=(part.stop - start, d)) @ mix
    for j in range(d):
        X[:, j] -= X[:, j].mean()
        X[:, j] /= X[:, j].std()
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        z = X[part] @ weights - 0.3
        y[part] = rng.random(len(z)) < 1 / (1 + np.exp(-z))
    return X, y


def ours(tolerance: float) -> Fit:
    def fit(X: FloatArray, y: FloatArray) -> FloatArray:
        settings = NewtonSettings(lambda_=1 / len(y), tolerance=tolerance)
        return newton(X, y, settings=settings).theta

    return fit


def scikit_learn(solver: str) -> Callable[[float], Fit]:
    def with_tolerance(tolerance: float) -> Fit:
        from sklearn.linear_model import LogisticRegression

        def fit(X: FloatArray, y: FloatArray) -> FloatArray:
            model = LogisticRegression(C=1.0, solver=solver, tol=tolerance, max_iter=1000)
            model.fit(X, y)
            return np.append(model.coef_[0], model.intercept_)

        return fit

    return with_tolerance


def glum(tolerance: float) -> Fit:
    from glum import GeneralizedLinearRegressor

    def fit(X: FloatArray, y: FloatArray) -> FloatArray:
        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha=1 / len(y),
            l1_ratio=0,
            gradient_tol=tolerance,
            copy_X=False,
            check_input=False,
        )
        model.fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return fit


LADDER = tuple(10.0 ** (-k / 2) for k in range(4, 19))
"""0.01 down to 1e-9, two steps a decade."""

SOLVERS: dict[str, Callable[[float], Fit]] = {
    "ours": ours,
    "lbfgs": scikit_learn("lbfgs"),
    "newton-cholesky": scikit_learn("newton-cholesky"),
    "glum": glum,
}


@dataclass(frozen=True)
class Reached:
    """The tolerance that a solver needs, and where it then stops."""

    tolerance: float
    relative_gradient: float
    objective: float
    fit: Fit


def loosest(make: Callable[[float], Fit], X: FloatArray, y: FloatArray) -> Reached:
    """The first of the ladder that is good enough."""
    judge = Objective(as_rows(X, y), 1 / len(y))
    without = judge.slope(judge.null()).gradient_norm
    for tolerance in LADDER:
        fit = make(tolerance)
        at = judge.slope(fit(X, y))
        if at.gradient_norm <= GOOD_ENOUGH * without:
            return Reached(tolerance, at.gradient_norm / without, at.F, fit)
    raise RuntimeError("no tolerance of the ladder is tight enough")


def compare(case: Case) -> dict[str, Any]:
    X, y = problem(case.n, case.d)
    reached = {name: loosest(make, X, y) for name, make in SOLVERS.items()}
    jobs = {name: _in_a_row(found.fit, X, y, case.in_a_row) for name, found in reached.items()}
    seconds = interleaved_cpu_seconds(jobs, repeats=case.repeats)
    spread = {
        name: summary([1e3 * value / case.in_a_row for value in times])
        for name, times in seconds.items()
    }
    medians = {name: spread[name]["median"] for name in spread}
    best_peer = min((name for name in medians if name != "ours"), key=medians.__getitem__)
    floor_ms = 1e3 * X.nbytes / read_bandwidth(X)
    passes = passes_of(reached["ours"].tolerance, X, y)
    return {
        "case": case.name,
        "cpu_ms": spread,
        "best_peer": best_peer,
        "ratio": medians["ours"] / medians[best_peer],
        "stops": {
            name: {
                "tolerance": found.tolerance,
                "relative_gradient": found.relative_gradient,
                "objective": found.objective,
            }
            for name, found in reached.items()
        },
        "passes": passes,
        "one_read_of_X_ms": floor_ms,
        "share_of_the_physical_limit": passes * floor_ms / medians["ours"],
    }


def _in_a_row(fit: Fit, X: FloatArray, y: FloatArray, times: int) -> Callable[[], None]:
    """A fit of a millisecond is run some times, or the caches would be those of another solver."""

    def job() -> None:
        for _ in range(times):
            fit(X, y)

    return job


def passes_of(tolerance: float, X: FloatArray, y: FloatArray) -> int:
    """How often our solver reads X: the start, and once a step."""
    settings = NewtonSettings(lambda_=1 / len(y), tolerance=tolerance)
    return newton(X, y, settings=settings).iterations + 1


def read_bandwidth(X: FloatArray) -> float:
    """Bytes a second of adding up all of X, the fastest way to have read it."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        X.sum()
        times.append(time.perf_counter() - start)
    return X.nbytes / min(times)


def extra_memory(n: int, d: int) -> dict[str, float]:
    """Peak anonymous memory above the loaded data, each solver in a process of its own."""
    found = {}
    for name in SOLVERS:
        command = [sys.executable, "-m", "benchmarks.training", "--memory-of", name, str(n), str(d)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[name] = float(json.loads(done.stdout)["extra_mib"])
    return found


def measure_memory(solver: str, n: int, d: int) -> None:
    """Fit once on few rows (imports, thread pools), then on all; watch the anonymous memory."""
    X, y = problem(n, d)
    fit = SOLVERS[solver](1e-4)
    fit(X[:5000].copy(), y[:5000].copy())
    before = anonymous_bytes()
    peak = _peak_while(lambda: fit(X, y))
    print(json.dumps({"extra_mib": (peak - before) / MIB}))


def _peak_while(job: Callable[[], object]) -> int:
    import threading

    peak, running = 0, True

    def watch() -> None:
        nonlocal peak
        while running:
            peak = max(peak, anonymous_bytes())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        job()
    finally:
        running = False
        watcher.join()
    return peak


def anonymous_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    lines = dict(line.split(":", 1) for line in status)
    return int(lines["RssAnon"].split()[0]) * 1024


def bars(results: Sequence[dict[str, Any]], cases: Sequence[Case], extra: float) -> list[Bar]:
    found = [
        Bar(case.name, result["ratio"], case.limit, result["ratio"] <= case.limit)
        for case, result in zip(cases, results, strict=True)
    ]
    return [*found, Bar("extra memory MiB", extra, LARGEST_EXTRA_MIB, extra <= LARGEST_EXTRA_MIB)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="the two small sizes, fewer repeats")
    parser.add_argument("--memory-of", nargs=3, metavar=("SOLVER", "N", "D"), help="used by itself")
    options = parser.parse_args()
    warnings.simplefilter("ignore", NotConvergedWarning)
    with threadpool_limits(1):
        if options.memory_of:
            solver, n, d = options.memory_of
            measure_memory(solver, int(n), int(d))
        else:
            measure(QUICK if options.quick else CASES)


def measure(cases: Sequence[Case]) -> None:
    results = [compare(case) for case in cases]
    largest = cases[-1]
    memory = extra_memory(largest.n, largest.d)
    median_ratio = statistics.median(result["ratio"] for result in results)
    report(
        {"cases": results, "median_ratio": median_ratio, "extra_memory_mib": memory},
        bars=bars(results, cases, memory["ours"]),
    )


if __name__ == "__main__":
    main()
