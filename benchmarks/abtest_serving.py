"""What a running A/B test costs a prediction: the same site without a test, in a split and in a shadow test.

Three servers run and are asked in turn, each round in another order, so that a change of the machine hits all.
In the split test half of the requests are answered by the challenger; in the shadow test both score all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common import Bar, at_most, report
from benchmarks.loadgen import UNIT, LoadGenerator, request_bytes
from benchmarks.serving import Sample, presented, refuse_other_answers, take
from benchmarks.serving_cases import INFER, Case
from benchmarks.serving_servers import Server
from tests.live import ROW, LiveSite, free_port

CONNECTIONS = 16
LIMIT = 1.10
TESTS = ("none", "split", "shadow")
NATIVE = "/api/v1/raisin/predict"
BEGIN = """
from endpoints.models import Endpoint
from tests.endpoints.services.abtests import trial
endpoint = Endpoint.objects.get(slug="raisin")
challenger = endpoint.versions.exclude(status="production").order_by("number").last()
trial.running_test(endpoint, challenger, kind="{kind}", horizon=1_000_000)
"""

Samples = dict[str, list[Sample]]


def cases() -> list[Case]:
    """Native with and without a unit's name, and V2."""
    row = json.dumps(ROW, separators=(",", ":")).encode()
    tensor = {"name": "x", "shape": [1, len(ROW)], "datatype": "FP64", "data": list(ROW.values())}
    infer = json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()
    questions = (
        ("native", request_bytes(NATIVE, row), b'"probability"'),
        (
            "native, unit",
            request_bytes(NATIVE, row, [("X-Unit-ID", UNIT.decode())]),
            b'"probability"',
        ),
        ("v2", request_bytes(INFER, infer), b"predict_proba"),
    )
    return [
        Case(f"{name}, {kind}", kind, request, CONNECTIONS, expected=expected)
        for name, request, expected in questions
        for kind in TESTS
    ]


def start_all(folder: Path, stack: ExitStack) -> dict[str, Server]:
    """A server for each kind of test, on copies of one demo."""
    original = LiveSite(folder / "demo", free_port())
    original.home.mkdir()
    original.manage_json("demo")
    return {kind: _start(folder / kind, original, kind, stack) for kind in TESTS}


def _start(home: Path, original: LiveSite, kind: str, stack: ExitStack) -> Server:
    shutil.copytree(original.home, home)
    site = LiveSite(home, free_port())
    if kind != "none":
        done = site.manage("shell", "--no-imports", "-c", BEGIN.format(kind=kind))
        assert done.returncode == 0, done.stderr
    stack.callback(site.stop)
    site.start("--skip-prepare")
    assert site.process is not None
    return Server(site.port, site.process.pid, site.stop)


def measure(servers: Mapping[str, Server], *, rounds: int, seconds: float) -> Samples:
    """Every case in every round; raises Failed where one is not answered."""
    asked = cases()
    samples: Samples = {case.name: [] for case in asked}
    for case in asked:
        refuse_other_answers(case, servers[case.server])
    with LoadGenerator() as generator:
        for number in range(rounds):
            first = number % len(asked)
            for case in asked[first:] + asked[:first]:
                samples[case.name].append(take(case, servers[case.server], generator, seconds))
            print(f"Round {number + 1} of {rounds} is done", file=sys.stderr)
    return samples


def ratio(samples: Samples, name: str, kind: str) -> float:
    """The median of the ratios of CPU time of all rounds."""
    pairs = zip(samples[f"{name}, {kind}"], samples[f"{name}, none"], strict=True)
    return statistics.median(tested.cpu_us / alone.cpu_us for tested, alone in pairs)


def ratios(samples: Samples) -> dict[str, float]:
    return {
        f"{name}, {kind}": ratio(samples, name, kind)
        for name in ("native", "native, unit", "v2")
        for kind in TESTS[1:]
    }


def bars(samples: Samples) -> list[Bar]:
    return [
        at_most(f"{kind} cost ratio", ratio(samples, "native", kind), LIMIT) for kind in TESTS[1:]
    ] + [
        at_most(f"{kind} cost ratio, named units", ratio(samples, "native, unit", kind), LIMIT)
        for kind in TESTS[1:]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, help="three at least")
    options = parser.parse_args()
    rounds, seconds = (3, 1.0) if options.quick else (9, 3.0)
    rounds = max(3, options.rounds or rounds)
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        samples = measure(start_all(Path(folder), stack), rounds=rounds, seconds=seconds)
    load.append(os.getloadavg()[0])
    report(
        {
            "cases": {name: presented(taken) for name, taken in samples.items()},
            "ratios": ratios(samples),
            "load_before_and_after": load,
        },
        bars=bars(samples),
    )


if __name__ == "__main__":
    main()
