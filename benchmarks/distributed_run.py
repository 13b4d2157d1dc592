"""A training and a scoring of a folder's files, timed: here by blocks, or on a Dask cluster.

`python -m benchmarks.distributed_run FOLDER [--scheduler tcp://...] [--kill PID]` prints one JSON line.
A process given to `--kill` is killed after the first iteration of the solver. `--most-bytes` limits the
memory of this process (RLIMIT_DATA) before anything is read; `--only` does one of the two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from endpoints.services.large.engines import EngineSpec
from endpoints.services.large.scoring import LargeScoring, score
from endpoints.services.large.training import DataSource, train
from mlcore.history import Iteration
from mlcore.training import TrainingResult, TrainingSpec

Facts = dict[str, Any]
SPEC = TrainingSpec(target="kind", lambda_=0.001)


def warmed(folder: Path, engine: EngineSpec) -> TrainingResult:
    """Let every worker import what it needs, and Polars start its threads."""
    few = folder / "warm-up.txt"
    result = train(SPEC, DataSource(files=[few], piece_bytes=8192), engine=engine)
    score(job_of(result, few, folder / "warm.csv", piece_bytes=8192), engine=engine)
    return result


def job_of(result: TrainingResult, data: Path, out: Path, **sizes: int) -> LargeScoring:
    return LargeScoring(
        files=[data], out=out, classifier=result.classifier, version=1, sha256="", **sizes
    )


def theta_of(result: TrainingResult) -> str:
    return np.append(result.report.weights, result.report.intercept).tobytes().hex()


def sha256_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for part in sorted(folder.glob("part-*.csv")):
        digest.update(part.read_bytes())
    return digest.hexdigest()


def trained(folder: Path, engine: EngineSpec, victim: int) -> tuple[TrainingResult, Facts]:
    def kill(iteration: Iteration) -> None:
        if victim and iteration.number == 1:
            os.kill(victim, signal.SIGKILL)

    started = time.perf_counter()
    result = train(SPEC, DataSource(files=[folder / "data"]), engine=engine, on_iteration=kill)
    seconds = time.perf_counter() - started
    iterations = result.report.iterations
    return result, {"train_s": seconds, "iterations": iterations, "theta": theta_of(result)}


def scored(folder: Path, engine: EngineSpec, result: TrainingResult) -> Facts:
    out = folder / "scores"
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    found = score(job_of(result, folder / "data", out), engine=engine)
    seconds = time.perf_counter() - started
    parts = len(found.parts)
    return {"score_s": seconds, "rows": found.rows, "parts": parts, "scores": sha256_of(out)}


def run(folder: Path, engine: EngineSpec, options: argparse.Namespace) -> Facts:
    result, facts = warmed(folder, engine), {}
    if options.only != "score":
        result, facts = trained(folder, engine, options.kill)
    if options.only != "train":
        facts |= scored(folder, engine, result)
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scheduler", default="")
    parser.add_argument("--kill", type=int, default=0)
    parser.add_argument("--most-bytes", type=int, default=0)
    parser.add_argument("--only", choices=("train", "score"))
    options = parser.parse_args()
    if options.most_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (options.most_bytes, options.most_bytes))
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        name = "dask" if options.scheduler else "blocks"
        engine = EngineSpec(name, Path(scratch), options.scheduler)
        print(json.dumps(run(options.folder, engine, options)))


if __name__ == "__main__":
    main()
