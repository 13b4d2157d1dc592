"""How often drift is cried where there is none, and found where there is some, by simulation.

Every window is judged as the product judges it: against the profile of 5,000 training rows, by the
default rule, with the checks of quality that are drift by themselves. A verdict of "drift" for any
of 7 features counts. Evidently's default rule, computed by SciPy from every fifth of the same
samples, stands beside it where it has numbers to compare.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, wasserstein_distance
from threadpoolctl import threadpool_limits

from benchmarks.common import Bar, at_least, at_most, report
from mlcore.arrays import FloatArray
from mlcore.drift import measure, with_quality
from mlcore.profile import Profile, build_profile
from mlcore.quality import check_quality
from mlcore.schema import Column, Columns, Schema
from mlcore.window import Window

TRAINING_ROWS, FEATURES = 5_000, 7
WINDOWS = (50, 100, 200, 500, 1_000, 5_000, 50_000)
PER_TRAINING = 5
"""Windows judged against one training, and one of them by Evidently's rule."""

EVIDENTLY_DISTANCE, EVIDENTLY_SHARE = 0.1, 0.5

HOLES = (0.2, 0.05, 0.02, 0.01, 0.001, 0.0002, 0.0)
EVENTS = (0.01, 0.001, 0.0005, 0.0002, 0.0001, 0.00005, 0.00002)
LEVELS = np.array([f"level {k}" for k in range(200)], object)
SHARES = np.arange(1.0, 201.0) ** -2 / np.sum(np.arange(1.0, 201.0) ** -2)
"""Of which 5,000 rows hold some 85: a category may have 100."""

Draw = Callable[[np.random.Generator, tuple[int, int]], FloatArray]
Table = FloatArray | dict[str, NDArray[Any]]

KINDS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "log-normal": lambda rng, shape: rng.lognormal(size=shape),
    "Poisson": lambda rng, shape: rng.poisson(3.0, size=shape).astype(np.float64),
    "rounded normal": lambda rng, shape: np.rint(rng.normal(0.0, 2.0, size=shape)),
    "t of 3 df": lambda rng, shape: rng.standard_t(3, size=shape),
    "holes": lambda rng, shape: np.where(rng.random(shape) < HOLES, np.nan, rng.normal(size=shape)),
    "rare events": lambda rng, shape: (rng.random(shape) < EVENTS).astype(np.float64),
    "levels": lambda rng, shape: rng.choice(len(LEVELS), shape, p=SHARES).astype(np.float64),
}
"""The last three are those that checks of quality speak of: shares of missing values, columns that
all but stand still, and categories whose rare levels the training may have missed."""

WHOLE_NUMBERS = tuple(KINDS)[:-3]
"""The kinds that Evidently's distance is defined for."""


@dataclass(frozen=True)
class Case:
    """Seven features of a kind; the first is ``shift`` standard deviations away from the training."""

    kind: str
    rows: int
    shift: float
    repetitions: int


@dataclass
class Tally:
    """Of how many windows what was said."""

    windows: int = 0
    drift: int = 0
    by_quality: int = 0
    possible: int = 0
    first_named: int = 0
    judged_by_evidently: int = 0
    evidently_any: int = 0
    evidently_dataset: int = 0


def cases(quick: bool) -> list[Case]:
    few, many = (60, 200) if quick else (300, 1_000)
    quiet = [
        Case(kind, rows, 0.0, few if rows > 5_000 else many) for kind in KINDS for rows in WINDOWS
    ]
    return [*quiet, Case("normal", 500, 0.25, many), Case("normal", 100, 0.5, many)]


def simulate(case: Case) -> Tally:
    """The same samples in every run, whatever the other cases are."""
    named = (list(KINDS).index(case.kind), case.rows, round(100 * case.shift))
    rng = np.random.default_rng([20261121, *named])
    tally = Tally()
    for training, profile in trainings(rng, case):
        for number in range(PER_TRAINING):
            rows = KINDS[case.kind](rng, (case.rows, FEATURES))
            rows[:, 0] += case.shift  # the normal features have an sd of 1
            judge(profile, table(case.kind, rows), tally)
            if number == 0 and case.kind in WHOLE_NUMBERS:
                judge_as_evidently(training, rows, tally)
    return tally


def trainings(rng: np.random.Generator, case: Case) -> Iterator[tuple[FloatArray, Profile]]:
    scores = np.full(TRAINING_ROWS, 0.5)
    for _ in range(case.repetitions // PER_TRAINING):
        training = KINDS[case.kind](rng, (TRAINING_ROWS, FEATURES))
        schema, columns = read(table(case.kind, training))
        yield training, build_profile(schema, columns, probabilities=scores, threshold=0.5)


def table(kind: str, rows: FloatArray) -> Table:
    """The rows as a window takes them: a matrix of numbers, or the texts of each column."""
    if kind != "levels":
        return rows
    return {f"f{k}": LEVELS[column.astype(np.int64)] for k, column in enumerate(rows.T)}


def read(training: Table) -> tuple[Schema, Columns]:
    """The training rows; a category has the levels that they hold."""
    if isinstance(training, np.ndarray):
        schema = Schema(tuple(Column(f"f{k}", "number", fill=0.0) for k in range(FEATURES)))
        return schema, schema.read_matrix(training)
    schema = Schema(
        tuple(
            Column(name, "category", tuple(sorted(set(texts)))) for name, texts in training.items()
        )
    )
    return schema, schema.read_columns(training)


def judge(profile: Profile, rows: Table, tally: Tally) -> None:
    window = Window.empty(profile)
    window.add(rows)
    moved = measure(profile, window)
    found = with_quality(moved, check_quality(profile, window).results)
    tally.windows += 1
    tally.drift += found.verdict == "drift"
    tally.by_quality += found.verdict == "drift" != moved.verdict
    tally.possible += found.verdict == "possible"
    tally.first_named += "f0" in found.drifted


def judge_as_evidently(training: FloatArray, rows: FloatArray, tally: Tally) -> None:
    """Each column by its Wasserstein distance in sd of the training; the data set by their share."""
    drifted = [
        bool(wasserstein_distance(before, now) >= EVIDENTLY_DISTANCE * max(before.std(), 0.001))
        for before, now in zip(training.T, rows.T, strict=True)
    ]
    tally.judged_by_evidently += 1
    tally.evidently_any += any(drifted)
    tally.evidently_dataset += sum(drifted) >= EVIDENTLY_SHARE * len(drifted)


def presented(case: Case, tally: Tally) -> dict[str, Any]:
    return {
        "kind": case.kind,
        "rows": case.rows,
        "shift_sd": case.shift,
        "drift": share(tally.drift, tally.windows),
        "drift_by_quality_alone": share(tally.by_quality, tally.windows),
        "first_feature_named": share(tally.first_named, tally.windows),
        "possible": share(tally.possible, tally.windows),
        "evidently_any": share(tally.evidently_any, tally.judged_by_evidently),
        "evidently_default": share(tally.evidently_dataset, tally.judged_by_evidently),
    }


def share(count: int, windows: int) -> dict[str, Any] | None:
    """With the exact interval of 95 % (Clopper and Pearson), as if no two shared a training."""
    if not windows:
        return None
    interval = binomtest(count, windows).proportion_ci(0.95, method="exact")
    ends = [float(interval.low), float(interval.high)]
    return {"share": count / windows, "interval": ends, "count": count, "windows": windows}


def bars(results: Sequence[dict[str, Any]]) -> list[Bar]:
    """Found is a shift only where the shifted feature is named."""
    least = {0.25: 0.90, 0.5: 0.85}
    return [
        at_least(f"power {shift} sd", result["first_feature_named"]["share"], least[shift])
        if (shift := result["shift_sd"])
        else at_most(
            f"false alarm {result['kind']} {result['rows']}", result["drift"]["share"], 0.03
        )
        for result in results
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the repetitions")
    started, load = time.process_time(), [os.getloadavg()[0]]
    chosen = cases(parser.parse_args().quick)
    with threadpool_limits(1):
        results = [presented(case, simulate(case)) for case in chosen]
    load.append(os.getloadavg()[0])
    report(
        {
            "training_rows": TRAINING_ROWS,
            "features": FEATURES,
            "windows_per_training": PER_TRAINING,
            "cases": results,
            "cpu_seconds": time.process_time() - started,
            "load_before_and_after": load,
        },
        bars=bars(results),
    )


if __name__ == "__main__":
    main()
