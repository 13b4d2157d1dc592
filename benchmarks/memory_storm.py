"""How much memory the served demo takes while many callers send large and hostile bodies at a time.

Most bodies are near the limit and made to cost as much as they can; some are honest requests of a thousand
rows. It must not know how the server defends itself. Memory is the proportional set size, sampled.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import Bar, at_most, report
from benchmarks.footprint import MIB, proportional_memory
from tests.live import ROW, LiveSite, free_port

NATIVE, EXPLAIN = "/api/v1/raisin/predict", "/api/v1/raisin/explain"
V1, V2, MLFLOW = "/v1/models/raisin:predict", "/v2/models/raisin/infer", "/e/raisin/invocations"
SAMPLE_SECONDS = 0.02
LIMIT = 128.0


class Asked(NamedTuple):
    path: str
    body: bytes
    headers: dict[str, str]


def honest(path: str, key: str) -> Asked:
    return Asked(path, json.dumps({key: [ROW] * 1_000}).encode(), {})


def lists(key: str) -> bytes:
    """A list of a quarter of a million lists, a hundred bytes of memory for four of JSON."""
    return b'{"%s":[%s[1]]}' % (key.encode(), b"[1]," * 245_000)


def kinds() -> list[Asked]:
    texts = b'["a"%s]' % (b',"b"' * 250_000)
    names = json.dumps({f"c{number}": 1 for number in range(70_000)}).encode()
    tensor = b'{"inputs":[{"name":"a","shape":[1,1],"datatype":"FP64","data":[%s1]}]}'
    packed = {"Content-Encoding": "gzip"}
    return [
        honest(NATIVE, "rows"),
        honest(EXPLAIN, "rows"),
        honest(MLFLOW, "dataframe_records"),
        honest(V1, "instances"),
        Asked(NATIVE, lists("rows"), {}),
        Asked(NATIVE, lists("rows").replace(b"[1]", b"{}"), {}),
        Asked(V1, lists("instances"), {}),
        Asked(V1, lists("inputs"), {}),
        Asked(MLFLOW, lists("dataframe_records"), {}),
        Asked(V2, tensor % (b"[1]," * 245_000), {}),
        Asked(V2, tensor % (b"257," * 245_000), {}),
        Asked(NATIVE, b'{"rows":[%s]}' % texts, {}),
        Asked(V1, b'{"inputs":{"a":%s}}' % texts, {}),
        Asked(NATIVE, names, {}),
        Asked(MLFLOW, b'{"dataframe_records":[%s]}' % names, {}),
        Asked(NATIVE, b'{"a":"%s"}' % (b"x" * 1_000_000), {}),
        Asked(NATIVE, gzip.compress(lists("rows")), packed),
        Asked(NATIVE, gzip.compress(b" " * 1_048_574 + b"{}"), packed),
        Asked(MLFLOW, b"12," * 340_000, {"Content-Type": "text/csv"}),
        Asked(MLFLOW, b"1,2,3,4,5,6,7\n" * 70_000, {"Content-Type": "text/csv"}),
    ]


class Storm:
    """Callers who share a list of requests, and the statuses that they got."""

    def __init__(self, site: LiveSite, todo: Sequence[Asked]) -> None:
        self.statuses: Counter[str] = Counter()
        self._site, self._left = site, iter(todo)
        self._lock = threading.Lock()

    def run(self, callers: int) -> None:
        threads = [threading.Thread(target=self._call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=60)
        while (asked := self._next()) is not None:
            try:
                connection.request("POST", *asked)
                response = connection.getresponse()
                response.read()
                status = str(response.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status = type(error).__name__
            with self._lock:
                self.statuses[status] += 1
        connection.close()

    def _next(self) -> Asked | None:
        with self._lock:
            return next(self._left, None)


@contextmanager
def peak_memory(pid: int) -> Iterator[list[float]]:
    """Gives a list that holds the largest sample in MiB at the end."""
    peak, stopping = [0.0], threading.Event()

    def watch() -> None:
        while not stopping.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], proportional_memory(pid) / MIB)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stopping.set()
        watcher.join()


def storm(site: LiveSite, todo: Sequence[Asked], *, callers: int) -> dict[str, object]:
    assert site.process is not None
    running = Storm(site, todo)
    with peak_memory(site.process.pid) as peak:
        running.run(callers)
    after = proportional_memory(site.process.pid) / MIB
    return {"peak_mib": peak[0], "after_mib": after, "statuses": dict(running.statuses)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    rounds = 4 if parser.parse_args().quick else 16
    with tempfile.TemporaryDirectory() as folder:
        site = LiveSite(Path(folder), free_port())
        site.manage_json("demo")
        site.start()
        try:
            assert site.process is not None
            start = proportional_memory(site.process.pid) / MIB
            few = storm(site, [honest(NATIVE, "rows")] * 10 * rounds, callers=16)
            storms = {n: storm(site, kinds() * rounds, callers=n) for n in (1, 8, 16, 40)}
        finally:
            site.stop()
    refused = 10 * rounds - few["statuses"].get("200", 0)  # type: ignore[attr-defined]
    peaks = {n: float(found["peak_mib"]) for n, found in storms.items()}  # type: ignore[arg-type]
    bars = [at_most(f"peak MiB, {n} callers", peak, LIMIT) for n, peak in peaks.items()]
    bars.append(Bar("thousand rows from 16 callers, refused", refused, 0, refused == 0))
    report({"start_mib": start, "honest": few, "storms": storms}, bars=bars)


if __name__ == "__main__":
    main()
