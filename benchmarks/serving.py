"""What a prediction over HTTP costs beside the servers people would use instead, on one worker each.

All servers run; one after the other is asked, in several rounds, so that a change of the machine hits all.
Ours validates, scores, explains its answer by a version and has it in the log before it answers. The peers
are built by benchmarks/setup-peers; the bars of a missing one do not hold.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import Bar, at_least, at_most, report, summary
from benchmarks.loadgen import Failed, Load, LoadGenerator, Timing
from benchmarks.serving_cases import Case, cases
from benchmarks.serving_servers import PEERS, NotStarted, Server, start_echo, start_ours

MIB = 1024 * 1024
WARM_UP = 0.7
STARTS: dict[str, Callable[[Path], Server]] = {
    **{peer.name: peer.start for peer in PEERS},
    "echo": start_echo,
    "ours": start_ours,
}
"""Ours last: servers stop in this order, and shared pages would make the memory of ours look smaller."""


@dataclass(frozen=True)
class Sample:
    """One case in one round."""

    timing: Timing
    cpu_us: float
    rows: int

    @property
    def requests_per_second(self) -> float:
        return self.timing.requests / self.timing.seconds

    @property
    def rows_per_second(self) -> float:
        return self.rows * self.requests_per_second


@dataclass
class Measured:
    """All samples by case, memory by server, and what could not be measured, with the reason."""

    samples: dict[str, list[Sample]]
    memory: dict[str, float]
    missing: dict[str, str]

    def ratio(self, case: str, peer: str, of: Callable[[Sample], float]) -> float | None:
        """The median of the ratios of all rounds; None where one of the two is missing."""
        if not (self.samples.get(case) and self.samples.get(peer)):
            return None
        pairs = zip(self.samples[case], self.samples[peer], strict=True)
        return statistics.median(of(ours) / of(theirs) for ours, theirs in pairs)

    def median(self, case: str, of: Callable[[Sample], float]) -> float | None:
        found = self.samples.get(case)
        return statistics.median(map(of, found)) if found else None


def measure(servers: Mapping[str, Server], *, rounds: int, seconds: float) -> Measured:
    """Every case in every round; a case that fails once is missing altogether."""
    measured = Measured({}, {}, {})
    with LoadGenerator() as generator:
        for number in range(rounds):
            for case in cases():
                if case.server in servers and case.key not in measured.missing:
                    _measure_once(case, servers[case.server], generator, measured, seconds)
            print(f"Round {number + 1} of {rounds} is done", file=sys.stderr)
    return measured


def _measure_once(
    case: Case, server: Server, generator: LoadGenerator, measured: Measured, seconds: float
) -> None:
    try:
        refuse_other_answers(case, server)
        sample = take(case, server, generator, seconds)
    except (Failed, OSError) as error:
        measured.missing[case.key] = str(error)
        measured.samples.pop(case.key, None)
    else:
        measured.samples.setdefault(case.key, []).append(sample)


def refuse_other_answers(case: Case, server: Server) -> None:
    """The load generator looks at the status alone; here is looked whether it is an answer at all."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(case.request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 200") or case.expected not in answer:
        raise Failed(answer[:500].decode(errors="replace"))


def take(case: Case, server: Server, generator: LoadGenerator, seconds: float) -> Sample:
    generator.run(Load(server.port, case.request, case.connections, WARM_UP))
    before = server.cpu_seconds
    timing = generator.run(Load(server.port, case.request, case.connections, seconds))
    used = server.cpu_seconds - before
    return Sample(timing, 1e6 * used / timing.requests, case.rows)


def start_all(folder: Path, stack: ExitStack) -> tuple[dict[str, Server], dict[str, str]]:
    """All servers that start, and why the others do not."""
    servers: dict[str, Server] = {}
    missing = {}
    for name, start in STARTS.items():
        try:
            servers[name] = start(folder)
        except NotStarted as error:
            missing[name] = str(error)
        else:
            stack.callback(servers[name].stop)
    return servers, missing


def memory_one_by_one(servers: Mapping[str, Server]) -> dict[str, float]:
    """MiB of each, which then stops: the last one shares nothing with another."""
    found = {}
    for name, server in servers.items():
        found[name] = server.memory / MIB
        server.stop()
    return found


def presented(samples: Sequence[Sample]) -> dict[str, Any]:
    values: dict[str, Callable[[Sample], float]] = {
        "requests_per_second": lambda sample: sample.requests_per_second,
        "cpu_us_per_request": lambda sample: sample.cpu_us,
        "p50_ms": lambda sample: sample.timing.p50_ms,
        "p95_ms": lambda sample: sample.timing.p95_ms,
        "p99_ms": lambda sample: sample.timing.p99_ms,
    }
    if samples[0].rows > 1:
        values["rows_per_second"] = lambda sample: sample.rows_per_second
    return {name: summary([of(sample) for sample in samples]) for name, of in values.items()}


def bars(measured: Measured) -> list[Bar]:
    def cpu(case: str, peer: str) -> float | None:
        return measured.ratio(f"{case}, 16", f"{peer}, 16", lambda sample: sample.cpu_us)

    throughput = measured.ratio("v2, 16", "fastapi, 16", lambda sample: sample.requests_per_second)
    p99 = [measured.median(f"{case}, 16", lambda s: s.timing.p99_ms) for case in ("v2", "native")]
    slowest = None if None in p99 else max(value for value in p99 if value is not None)
    return [
        at_most("fastapi cpu ratio v2", cpu("v2", "fastapi"), 0.60),
        at_most("fastapi cpu ratio native", cpu("native", "fastapi"), 0.70),
        at_most("mlserver cpu ratio", cpu("native", "mlserver"), 0.55),
        at_most("mlflow cpu ratio", cpu("native", "mlflow"), 0.10),
        at_most("echo cpu ratio", cpu("v2", "echo"), 2.2),
        at_least("throughput ratio", throughput, 1.6),
        at_most("p99 ms", slowest, 25.0),
        at_most("memory MiB", measured.memory.get("ours"), 128.0),
        at_least(
            "rows per second at 100",
            measured.median("v2 many, 16", lambda sample: sample.rows_per_second),
            300_000,
        ),
    ]


def peer_versions(servers: Mapping[str, Server]) -> dict[str, dict[str, str]]:
    return {peer.name: peer.versions() for peer in PEERS if peer.name in servers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, help="three at least")
    options = parser.parse_args()
    rounds, seconds = (3, 1.0) if options.quick else (7, 3.0)
    rounds = max(3, options.rounds or rounds)  # quartiles of fewer lie outside of what was measured
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers, missing = start_all(Path(folder), stack)
        measured = measure(servers, rounds=rounds, seconds=seconds)
        load.append(os.getloadavg()[0])
        versions = peer_versions(servers)
        measured.memory = memory_one_by_one(servers)
    report(
        {
            "cases": {key: presented(samples) for key, samples in measured.samples.items()},
            "memory_mib": measured.memory,
            "missing": missing | measured.missing,
            "peer_versions": versions,
            "load_before_and_after": load,
        },
        bars=bars(measured),
    )


if __name__ == "__main__":
    main()
