"""How often an A/B test calls one of two equal versions the better one, and how soon it finds a better one.

Each simulated test is looked at after every twenty requests, from 50 labels of each arm on, and ends where the
product would end it; some dozens go through the log and the database too and must say the same at each look.
Beside it stands what most people do: a z test at each of these looks.

Where labels are missing at different rates, or come late from one arm, the check of coverage refuses most
tests, as it should: those count neither as found nor as false. So these worlds have bars for what the interval
alone says, whatever the checks say: labels that are missing at random must not move it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from benchmarks.common import Bar, at_least, at_most, report
from mlcore.sample_size import Precision, pairs_needed, rows_per_arm
from tests.live import LiveSite, free_port

if TYPE_CHECKING:  # these two can be imported inside of Django alone, where `simulate` runs
    from benchmarks.abtest_simulation import Ending, World

HORIZON = 2_000
TESTS, QUICK_TESTS = 2_000, 100
WHOLE, QUICK_WHOLE = 4, 1
"""Tests of each world that go the whole way too."""
SEED = 20261121

EQUAL = (0.795, 0.055, 0.055)
APART = (0.77, 0.03, 0.13)
WORLDS = (
    ("equal, split", "split", EQUAL, (1.0, 1.0), (0.0, 0.0)),
    ("equal, shadow", "shadow", EQUAL, (1.0, 1.0), (0.0, 0.0)),
    ("0.80 v 0.90, split", "split", APART, (1.0, 1.0), (0.0, 0.0)),
    ("0.80 v 0.90, shadow", "shadow", APART, (1.0, 1.0), (0.0, 0.0)),
    ("equal, split, labels missing and late", "split", EQUAL, (0.8, 0.6), (20.0, 200.0)),
    ("0.80 v 0.90, split, labels missing and late", "split", APART, (0.8, 0.6), (20.0, 200.0)),
)
"""Name, kind, how often both, A alone and B alone are right, labels that come, and after how many requests."""
FALSE, FOUND = 0.05, 0.95


def simulate(tests: int, whole: int) -> None:
    """Print all results as JSON; runs inside of Django."""
    from benchmarks import abtest_whole_path
    from benchmarks.abtest_simulation import World

    worlds = [World(*facts) for facts in WORLDS]  # type: ignore[arg-type]
    compared = abtest_whole_path.compare(worlds, repeats=whole, seed=SEED)
    with threadpool_limits(1), ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        found = {
            world.name: presented(
                world, list(pool.map(partial(_ending, world, number), range(tests), chunksize=10))
            )
            for number, world in enumerate(worlds)
        }
    print(json.dumps({"worlds": found, "whole_path": compared}))


def _ending(world: World, number: int, repeat: int) -> Ending:
    """Simulate one test: the same in every run, whatever the others are."""
    from benchmarks.abtest_simulation import draw, planned, run

    rng = np.random.default_rng([SEED, number, repeat])
    test = planned(world, rng.bytes(16).hex(), horizon=HORIZON)
    return run(test, draw(world, test, rng))


def presented(world: World, endings: Sequence[Ending]) -> dict[str, Any]:
    """`labels` and the fixed horizons are of the smaller arm, of a shadow test pairs."""
    count, better = len(endings), ("b_better", "a_better")
    decided = [ending.labels for ending in endings if ending.banner in better]
    alone = [ending.alone_labels for ending in endings if ending.alone in better]
    return {
        "accuracies": world.accuracies,
        "horizon": HORIZON,
        "banners": dict(Counter(ending.banner for ending in endings)),
        "called_better": share(sum(ending.banner in better for ending in endings), count),
        "promoted": share(sum(ending.banner == "b_better" for ending in endings), count),
        "called_better_by_the_interval_alone": share(len(alone), count),
        "promoted_by_the_interval_alone": share(
            sum(ending.alone == "b_better" for ending in endings), count
        ),
        "called_by_a_z_test_at_each_look": share(sum(e.peeked for e in endings), count),
        "labels": labels_of(decided),
        "labels_by_the_interval_alone": labels_of(alone),
        "fixed_horizon": fixed_horizons(world),
    }


def share(count: int, tests: int) -> dict[str, Any]:
    """With the exact interval of 95 % (Clopper and Pearson)."""
    ends = binomtest(count, tests).proportion_ci(0.95, method="exact")
    interval = [float(ends.low), float(ends.high)]
    return {"share": count / tests, "interval": interval, "count": count, "tests": tests}


def labels_of(found: Sequence[int]) -> dict[str, float] | None:
    """When the tests that called one better did so."""
    if not found:
        return None
    return {
        "mean": statistics.fmean(found),
        "median": statistics.median(found),
        "most": max(found),
    }


def fixed_horizons(world: World) -> dict[str, float] | None:
    """The labels that one look at the end needs for a power of 80 % and of 95 %."""
    a, b = world.accuracies
    if a == b:
        return None
    apart = world.right[1] + world.right[2]
    return {
        f"{power:.0%}": rows_per_arm(a, b, precision)
        if world.kind == "split"
        else pairs_needed(apart, b - a, precision)
        for power in (0.8, 0.95)
        for precision in (Precision(power=power),)
    }


def bars(found: dict[str, Any]) -> list[Bar]:
    """Either version called better counts as a false promotion where both are equal."""

    def of(world: str, what: str) -> float:
        return float(found["worlds"][world][what]["share"])

    called, alone = "called_better", "called_better_by_the_interval_alone"
    late = "labels missing and late"
    return [
        at_most("false promotion split", of("equal, split", alone), FALSE),
        at_most("false promotion shadow", of("equal, shadow", alone), FALSE),
        at_least("found 0.80 v 0.90", of("0.80 v 0.90, split", "promoted"), FOUND),
        at_least("found 0.80 v 0.90 shadow", of("0.80 v 0.90, shadow", "promoted"), FOUND),
        at_most(f"false promotion split, {late}", of(f"equal, split, {late}", called), FALSE),
        at_most(
            f"false promotion split, {late}, no checks", of(f"equal, split, {late}", alone), FALSE
        ),
        at_least(
            f"found 0.80 v 0.90, {late}, no checks",
            of(f"0.80 v 0.90, split, {late}", "promoted_by_the_interval_alone"),
            FOUND,
        ),
        at_least("looks through the whole path", found["whole_path"]["looks"], 1),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TESTS} tests of each world")
    parser.add_argument("--tests", type=int, help="of each world")
    options = parser.parse_args()
    tests, whole = (QUICK_TESTS, QUICK_WHOLE) if options.quick else (TESTS, WHOLE)
    tests, load, started = options.tests or tests, [os.getloadavg()[0]], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        site = LiveSite(Path(folder), free_port())
        site.manage_json("demo")
        code = f"from benchmarks.abtest_power import simulate; simulate({tests}, {whole})"
        done = site.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    load.append(os.getloadavg()[0])
    taken = time.perf_counter() - started
    report(
        {"every": 20, **found, "seconds": taken, "load_before_and_after": load}, bars=bars(found)
    )


if __name__ == "__main__":
    main()
