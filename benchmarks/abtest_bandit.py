"""What a bandit costs and decides, by the code that steers and judges real ones, on counters in memory.

Beside it stands a split test of equal shares with the same interval. Each simulated test is looked at after
every batch of labels, and goes on to its last label whatever it says: `decided` is what it said first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import Bar, at_least, at_most, report
from tests.live import LiveSite, free_port

if TYPE_CHECKING:  # these can be imported inside of Django alone, where `simulate` runs
    from endpoints.models import ABTest
    from endpoints.services.abtests.counts import PhaseCounts

TESTS, QUICK_TESTS = 500, 20
BATCH, LABELS, HORIZON = 100, 4_000, 2_000
SEED = 20261121
KINDS = ("bandit", "split")


class World(NamedTuple):
    """How often A and B are right, and how much less often both are in the second half."""

    name: str
    right: tuple[float, float]
    drift: float = 0.0


WORLDS = (
    World("equal", (0.85, 0.85)),
    World("equal, and harder later", (0.85, 0.85), 0.3),
    World("0.80 v 0.90", (0.8, 0.9)),
    World("0.80 v 0.90, and harder later", (0.8, 0.9), 0.3),
    World("0.85 v 0.88", (0.85, 0.88)),
)


@dataclass(frozen=True)
class Ending:
    """Regret: rows that the better arm would be expected to get right and the other was asked for instead."""

    banner: str
    decided_at: int
    to_b: float
    last_share: float
    least_share: float
    regret: float
    phases: int
    difference: float
    pooled: float


def simulate(tests: int) -> None:
    """Print all results as JSON; runs inside of Django."""
    with threadpool_limits(1), ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        found = {
            world.name: {
                kind: presented(
                    list(pool.map(partial(_ending, number, kind), range(tests), chunksize=10))
                )
                for kind in KINDS
            }
            for number, world in enumerate(WORLDS)
        }
    print(json.dumps(found))


def _ending(number: int, kind: str, repeat: int) -> Ending:
    """Simulate one test: the same in every run, whatever the others are."""
    from benchmarks.abtest_simulation import NOW
    from endpoints.services.abtests import analysis, looking, steering

    world, rng = WORLDS[number], np.random.default_rng([SEED, number, repeat])
    test = _planned(kind)
    counts, shares, regret = _next(test, (), 5_000), [], 0.0
    banner, decided_at = "keep_running", 0
    for asked in range(BATCH, LABELS + BATCH, BATCH):
        rights = np.array(world.right) - (world.drift if asked > LABELS / 2 else 0.0)
        dealt = _deal(counts, rights, rng)
        regret += float(dealt @ (rights.max() - rights))
        shares.append(dealt[1] / BATCH)
        counts = _again(test, counts)
        looking.intersect(test, counts)
        said = analysis.judge(test, counts, NOW).banner
        if banner == "keep_running" and said not in ("keep_running", "inconclusive"):
            banner, decided_at = said, asked
        if kind == "bandit" and steering.is_due(test, counts):
            weighed = steering.weigh(test, counts)
            if (
                weighed
                and abs(weighed.share - counts.phase.challenger_share) >= steering.LEAST_CHANGE
            ):
                counts = _next(test, counts.strata, weighed.share, counts)
            counts.phase.weighed = asked
    return _ended(counts, banner, decided_at, shares, regret)


def _ended(
    counts: PhaseCounts, banner: str, decided_at: int, shares: list[float], regret: float
) -> Ending:
    from endpoints.services.abtests.counts import bandit_of
    from mlcore.adaptive import compared

    of_all = counts.arms
    a, b = (each.arm.tn / each.arm.labels for each in of_all)
    found = compared(bandit_of(counts.phase.test, counts))
    assert found is not None
    planned = [stratum.phase.challenger_share for stratum in counts.strata]
    return Ending(
        banner=banner,
        decided_at=decided_at,
        to_b=statistics.fmean(shares),
        last_share=planned[-1] / 10_000,
        least_share=min(min(share, 10_000 - share) for share in planned) / 10_000,
        regret=regret,
        phases=len(planned),
        difference=found.difference,
        pooled=b - a,
    )


def _planned(kind: str) -> ABTest:
    from benchmarks import abtest_simulation as simulation

    world = simulation.World("", "split", (0.8, 0.05, 0.05))
    test = simulation.planned(world, "salt", horizon=HORIZON)
    test.kind, test.minimum_labels = kind, 100
    test.brier_margin = test.error_margin = None
    return test


def _next(
    test: ABTest, strata: tuple[PhaseCounts, ...], share: int, before: PhaseCounts | None = None
) -> PhaseCounts:
    """Return the counters of all phases with a new one, which knows what the looks before said."""
    from benchmarks.abtest_simulation import STARTED
    from endpoints.models import ABArm, ABPhase
    from endpoints.models.abcount import ArmName
    from endpoints.services.abtests import bandit_counts
    from endpoints.services.abtests.counts import ArmCounts, PhaseCounts

    number = len(strata) + 1
    phase = ABPhase(pk=number, test=test, number=number, challenger_share=share, started_at=STARTED)
    if before is not None:
        phase.low, phase.high, phase.p_value = (
            before.phase.low, before.phase.high, before.phase.p_value,
        )  # fmt: skip
        phase.weighed = before.phase.weighed
    arms = (
        ArmCounts(ABArm(phase=phase, name=name, version=version))
        for name, version in zip(ArmName.values, (test.control, test.challenger), strict=True)
    )
    return bandit_counts.together((*strata, PhaseCounts(phase, *arms)))


def _deal(counts: PhaseCounts, rights: Any, rng: np.random.Generator) -> Any:
    """Label a batch in the newest phase; return how many rows each arm was asked."""
    newest = counts.strata[-1]
    to_b = int(rng.binomial(BATCH, newest.phase.challenger_share / 10_000))
    dealt = np.array([BATCH - to_b, to_b])
    for side, rows, right in zip(newest.arms, dealt.tolist(), rights, strict=True):
        correct = int(rng.binomial(rows, right))
        side.arm.tn += correct
        side.arm.fp += rows - correct
        side.arm.units += rows
    return dealt


def _again(test: ABTest, counts: PhaseCounts) -> PhaseCounts:
    from endpoints.services.abtests import bandit_counts

    return bandit_counts.together(counts.strata)


def presented(endings: list[Ending]) -> dict[str, Any]:
    count = len(endings)

    def mean(name: str) -> float:
        return statistics.fmean(getattr(ending, name) for ending in endings)

    decided = [ending.decided_at for ending in endings if ending.banner in ("a_better", "b_better")]
    return {
        "tests": count,
        "b_better": sum(ending.banner == "b_better" for ending in endings) / count,
        "a_better": sum(ending.banner == "a_better" for ending in endings) / count,
        "not_trusted": sum(ending.banner == "do_not_trust" for ending in endings) / count,
        "labels_until_decided": statistics.fmean(decided) if decided else None,
        "least_share": min(ending.least_share for ending in endings),
        **{
            name: mean(name)
            for name in ("to_b", "last_share", "regret", "phases", "difference", "pooled")
        },
    }


def bars(found: dict[str, Any]) -> list[Bar]:
    apart, equal = found["0.80 v 0.90"], found["equal"]["bandit"]
    harder = found["equal, and harder later"]["bandit"]
    return [
        at_least(
            "traffic to the better arm at the end, 0.80 v 0.90", apart["bandit"]["last_share"], 0.85
        ),
        at_most("false decisions, equal", equal["b_better"] + equal["a_better"], 0.05),
        at_most(
            "false decisions, equal, and harder later",
            harder["b_better"] + harder["a_better"],
            0.05,
        ),
        at_most(
            "regret against equal shares, 0.80 v 0.90",
            apart["bandit"]["regret"] / apart["split"]["regret"],
            0.5,
        ),
        at_least(
            "least share", min(found[world.name]["bandit"]["least_share"] for world in WORLDS), 0.05
        ),
        at_least("found 0.80 v 0.90", apart["bandit"]["b_better"], 0.95),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TESTS} tests of each world")
    parser.add_argument("--tests", type=int, help="of each world")
    options = parser.parse_args()
    tests = options.tests or (QUICK_TESTS if options.quick else TESTS)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        site = LiveSite(Path(folder), free_port())
        code = f"from benchmarks.abtest_bandit import simulate; simulate({tests})"
        done = site.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    seconds = time.perf_counter() - started
    measured = {"labels": LABELS, "batch": BATCH, "horizon": HORIZON, "worlds": found}
    report(measured | {"seconds": seconds}, bars=bars(found))


if __name__ == "__main__":
    main()
