"""Time and memory of a report of drift, 100,000 rows of 7 features, beside Evidently's preset.

Ours starts from the profile that the training has stored and the live rows, and computes every
measure; Evidently starts from both tables in memory and computes one. Each report is made in a
process of its own, in turn, on one thread. `benchmarks/setup-peers evidently` builds Evidently.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Bar, at_most, report, summary
from benchmarks.serving_servers import PEERS_HOME, ROOT
from mlcore.profile import build_profile
from mlcore.schema import Column, Schema

ROWS, FEATURES = 100_000, 7
EVIDENTLY = PEERS_HOME / "evidently" / "bin" / "python"
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "DO_NOT_TRACK": "1",
}
TIMES = {
    "first_cpu_s": ("first", "cpu_s"),
    "first_wall_s": ("first", "wall_s"),
    "warm_cpu_s": ("warm", "cpu_s"),
    "warm_wall_s": ("warm", "wall_s"),
}

Sample = dict[str, Any]


def write_data(folder: Path) -> None:
    """Normal features; the last but one is shifted by a quarter of its sd, the last is wider."""
    rng = np.random.default_rng(20261120)
    before = rng.normal(size=(ROWS, FEATURES))
    now = rng.normal(size=(ROWS, FEATURES))
    now[:, 5] += 0.25
    now[:, 6] *= 1.5
    np.save(folder / "reference.npy", before)
    np.save(folder / "current.npy", now)
    schema = Schema(tuple(Column(f"f{k}", "number") for k in range(FEATURES)))
    scores = 1 / (1 + np.exp(-before.sum(axis=1)))
    profile = build_profile(schema, schema.read_matrix(before), probabilities=scores, threshold=0.5)
    (folder / "profile.json").write_text(json.dumps(profile.to_dict()))


def run(python: Path, module: str, folder: Path) -> Sample:
    done = subprocess.run(
        [str(python), "-m", module, str(folder)],
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Sample = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(folder: Path, rounds: int) -> dict[str, list[Sample]]:
    """Samples by side; Evidently has none where its environment is not built."""
    sides = {"ours": (Path(sys.executable), "benchmarks.drift_report")}
    if EVIDENTLY.exists():
        sides["evidently"] = (EVIDENTLY, "benchmarks.peers.evidently_report")
    samples: dict[str, list[Sample]] = {"ours": [], "evidently": []}
    for number in range(rounds):
        for side, (python, module) in sides.items():
            samples[side].append(run(python, module, folder))
        print(f"Round {number + 1} of {rounds} is done", file=sys.stderr)
    return samples


def presented(samples: Sequence[Sample]) -> dict[str, Any]:
    values = {
        name: [sample[turn][clock] for sample in samples] for name, (turn, clock) in TIMES.items()
    }
    values["at_start_mib"] = [sample["at_start_mib"] for sample in samples]
    values["peak_mib"] = [sample["peak_mib"] for sample in samples]
    values["above_start_mib"] = [sample["peak_mib"] - sample["at_start_mib"] for sample in samples]
    return {name: summary(found) for name, found in values.items()}


def ratios(samples: Mapping[str, Sequence[Sample]]) -> dict[str, float | None]:
    """Medians over the rounds of ours to Evidently's; None without Evidently."""
    pairs = list(zip(samples["ours"], samples["evidently"], strict=False))
    if not pairs:
        return dict.fromkeys([*TIMES, "peak_mib"])
    found: dict[str, float | None] = {
        name: statistics.median(a[turn][clock] / b[turn][clock] for a, b in pairs)
        for name, (turn, clock) in TIMES.items()
    }
    found["peak_mib"] = statistics.median(a["peak_mib"] / b["peak_mib"] for a, b in pairs)
    return found


def largest_difference(samples: Mapping[str, Sequence[Sample]]) -> float | None:
    """Of a feature's Wasserstein distance in sd, between the two."""
    if not samples["evidently"]:
        return None
    ours, theirs = (samples[side][0]["distances"] for side in ("ours", "evidently"))
    found: float = max(abs(ours[name] - theirs[name]) for name in ours)
    return found


def bars(
    found: Mapping[str, float | None], difference: float | None, profile_only: float
) -> list[Bar]:
    return [
        at_most("time ratio", found["warm_cpu_s"], 0.05),
        at_most("memory ratio", found["peak_mib"], 0.3),
        at_most("profile-only seconds", profile_only, 0.05),
        at_most("distance difference", difference, 0.002),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    rounds = 3 if parser.parse_args().quick else 9
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_data(folder)
        samples = measure(folder, rounds)
    load.append(os.getloadavg()[0])
    profile_only = [sample["profile_only"]["cpu_s"] for sample in samples["ours"]]
    found, difference = ratios(samples), largest_difference(samples)
    ours, theirs = samples["ours"][0], samples["evidently"][:1]
    report(
        {
            "rows": ROWS,
            "features": FEATURES,
            "sides": {side: presented(each) for side, each in samples.items() if each},
            "ratios": found,
            "profile_only_cpu_s": summary(profile_only),
            "profile_only_difference": ours["profile_only_difference"],
            "distance_difference": difference,
            "measures": ours["measures"],
            "drifted": ours["drifted"],
            "peer_versions": theirs[0]["versions"] if theirs else None,
            "load_before_and_after": load,
        },
        bars=bars(found, difference, statistics.median(profile_only)),
    )


if __name__ == "__main__":
    main()
