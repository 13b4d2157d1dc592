"""Training and scoring on a Dask cluster of 1 and of 2 worker processes with one thread each.

Both read the same files, and so does one process without a cluster: the coefficients must be the
same to the last bit. Then the two workers stand in two network namespaces and one of them is
killed in the middle of the training; that takes `ip` and root, and is left out where they are not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.common import Bar, at_least, report, summary
from benchmarks.serving_servers import ROOT
from endpoints.services.large.engines import WORKER_SETTINGS

FEATURES, FILES = 8, 8
FULL, QUICK = (16_000_000, 3), (12_000_000, 1)
"""Rows and rounds. What is done once, on a sample, weighs more the fewer rows there are."""
DASK = Path(sys.executable).with_name("dask")
MOST_BYTES = 640 * 2**20
NAMESPACES = ("raisin-a", "raisin-b")
ADDRESSES = ("10.213.77.1", "10.213.77.2")

Sample = dict[str, Any]


def write_data(folder: Path, rows: int) -> None:
    """Files of correlated columns, and a small one to warm up with."""
    rng = np.random.default_rng(20261121)
    mixing = rng.normal(size=(FEATURES, FEATURES))
    weights = rng.normal(size=FEATURES)
    (folder / "data").mkdir()
    sizes = [rows // FILES] * FILES
    for name, n in [*((f"data/{k:02d}.csv", n) for k, n in enumerate(sizes)), ("warm-up.txt", 600)]:
        X = rng.normal(size=(n, FEATURES)) @ mixing
        labels = np.where(X @ weights / 4 + rng.logistic(size=n) > 0, "Besni", "Kecimen")
        columns: dict[str, Any] = {f"f{k}": X[:, k] * 10.0**k for k in range(FEATURES)}
        pl.DataFrame(columns | {"kind": labels}).write_csv(folder / name)


def environment() -> dict[str, str]:
    return os.environ | WORKER_SETTINGS | {"PYTHONPATH": str(ROOT)}


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "dask.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def inside(place: str) -> list[str]:
    """What runs a command within a network namespace."""
    return ["ip", "netns", "exec", place] if place else []


@contextmanager
def cluster(
    folder: Path, places: Sequence[str], hosts: Sequence[str]
) -> Iterator[tuple[str, list[int]]]:
    """A scheduler at the first place and a worker at each; its address and the workers' processes."""
    address_file = folder / "scheduler.json"
    address_file.unlink(missing_ok=True)
    options = ["--no-dashboard", "--scheduler-file", str(address_file)]
    with ExitStack() as stack:
        command = [str(DASK), "scheduler", "--host", hosts[0], "--port", "0", *options]
        stack.enter_context(running([*inside(places[0]), *command], folder))
        while not address_file.exists():
            time.sleep(0.1)
        address = json.loads(address_file.read_text())["address"]
        workers = []
        for place, host in zip(places, hosts, strict=True):
            command = [str(DASK), "worker", address, "--host", host, "--nthreads", "1"]
            options = ["--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
            process = stack.enter_context(running([*inside(place), *command, *options], folder))
            workers.append(process.pid)
        wait_for(address, len(workers), places[0])
        yield address, workers


def wait_for(address: str, workers: int, place: str) -> None:
    code = (
        f"import distributed; distributed.Client({address!r})"
        f".wait_for_workers({workers}, timeout=60)"
    )
    subprocess.run([*inside(place), sys.executable, "-c", code], check=True, cwd=ROOT)


def once(folder: Path, *arguments: str, place: str = "") -> Sample:
    command = [sys.executable, "-m", "benchmarks.distributed_run", str(folder), *arguments]
    done = subprocess.run(
        [*inside(place), *command],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Sample = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(folder: Path, rounds: int) -> dict[int, list[Sample]]:
    samples: dict[int, list[Sample]] = {1: [], 2: []}
    for number in range(rounds):
        for workers in samples:
            local = [""] * workers, ["127.0.0.1"] * workers
            with cluster(folder, *local) as (address, _):
                samples[workers].append(once(folder, "--scheduler", address))
        print(f"Round {number + 1} of {rounds} is done", file=sys.stderr)
    return samples


@contextmanager
def two_namespaces() -> Iterator[None]:
    """Two network namespaces with a cable between them."""

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    ends = ("raisin-end-a", "raisin-end-b")
    with ExitStack() as stack:
        for name in NAMESPACES:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for name, end, address in zip(NAMESPACES, ends, ADDRESSES, strict=True):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield


def across_namespaces(folder: Path) -> Sample | None:
    """The same with a worker in each, one of which is killed; None where there are no namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return None
    with two_namespaces(), cluster(folder, NAMESPACES, ADDRESSES) as (address, workers):
        victim = ("--kill", str(workers[1]))
        return once(folder, "--scheduler", address, *victim, place=NAMESPACES[0])


def within(folder: Path, most_bytes: int) -> float:
    """How many times the memory limit of a process the data are that it trains on, and scores."""
    size = sum(path.stat().st_size for path in (folder / "data").iterdir())
    for step in ("train", "score"):
        once(folder, "--most-bytes", str(most_bytes), "--only", step)
    return size / most_bytes


def bars(single: Sample, samples: dict[int, list[Sample]], apart: Sample | None) -> list[Bar]:
    every = [sample for found in samples.values() for sample in found]
    same = all(sample["theta"] == single["theta"] for sample in every)
    same_scores = all(sample["scores"] == single["scores"] for sample in every)
    survived = None if apart is None else float(apart["theta"] == single["theta"])
    return [
        at_least("training speed-up", speed_up(samples, "train_s"), 1.7),
        at_least("scoring speed-up", speed_up(samples, "score_s"), 1.7),
        at_least("coefficients identical", float(same), 1.0),
        at_least("scores identical", float(same_scores), 1.0),
        at_least("identical across namespaces with a worker killed", survived, 1.0),
    ]


def speed_up(samples: dict[int, list[Sample]], name: str) -> float:
    one, two = (statistics.median(s[name] for s in samples[workers]) for workers in (1, 2))
    return one / two


def spread(samples: Sequence[Sample], name: str) -> dict[str, float]:
    values = [sample[name] for sample in samples]
    return summary(values) if len(values) > 1 else {"median": values[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="fewer rows, one round")
    is_quick = parser.parse_args().quick
    rows, rounds = QUICK if is_quick else FULL
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_data(folder, rows)
        single = once(folder)
        samples = measure(folder, rounds)
        apart = across_namespaces(folder)
        # What Python, NumPy and Polars reserve is most of it, so few rows would show nothing.
        times_memory = None if is_quick else within(folder, MOST_BYTES)
    load.append(os.getloadavg()[0])
    sides = {f"{workers}_workers": found for workers, found in samples.items()}
    report(
        {
            "rows": rows,
            "features": FEATURES,
            "pieces": single["parts"],
            "single_process": {name: single[name] for name in ("train_s", "score_s")},
            "clusters": {
                side: {name: spread(found, name) for name in ("train_s", "score_s")}
                for side, found in sides.items()
            },
            "worker_killed": apart and {name: apart[name] for name in ("train_s", "score_s")},
            "dask": version("dask"),
            "load_before_and_after": load,
        },
        bars=[
            *bars(single, samples, apart),
            *([] if is_quick else [at_least("data to memory limit", times_memory, 2.0)]),
        ],
    )


if __name__ == "__main__":
    main()
