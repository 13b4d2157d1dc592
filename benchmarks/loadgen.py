"""A load generator in a process of its own: prebuilt bytes over keep-alive connections, in a closed loop.

It reads one job a line as JSON and writes one result a line. It must not know whom it asks, or what.
"""

from __future__ import annotations

import base64
import json
import math
import random
import selectors
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self

OK = b"HTTP/1.1 200"
LENGTH = b"\r\ncontent-length:"
CHUNKED = b"\r\ntransfer-encoding: chunked"
SILENCE = 30.0
UNIT = b"user-000000"
"""A request that holds this name is sent for one of so many units, drawn each time."""
UNITS = 20_000


class Failed(Exception):
    """An answer was not 200, or none came; the measurement is worth nothing."""


@dataclass(frozen=True)
class Load:
    """What to send, to how many connections at once, for how long."""

    port: int
    request: bytes
    connections: int
    seconds: float


@dataclass(frozen=True)
class Timing:
    """Of all requests of one load: how many in how many seconds, and how long they took."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def request_bytes(path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """One POST, complete; a JSON body unless a header says otherwise."""
    given = {"Content-Type": "application/json"} | dict(headers)
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: Load) -> None:
        self.parts = load.request.split(UNIT)
        # Blocking: a read follows only on readiness, and a socket with a timeout polls once more.
        self.socket = socket.create_connection(("127.0.0.1", load.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.started = 0.0

    def ask(self) -> None:
        self.received = b""
        request = self.parts[0]
        if len(self.parts) > 1:
            request = (b"user-%06d" % random.randrange(UNITS)).join(self.parts)
        self.started = perf_counter()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Read what is there; raises Failed."""
        part = self.socket.recv(65536)
        if not part:
            raise Failed("the server closed the connection")
        self.received = self.received + part if self.received else part
        return is_complete(self.received)


def is_complete(answer: bytes) -> bool:
    """Whether all of the answer has come; raises Failed unless it is a 200."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    if not answer.startswith(OK):
        raise Failed(answer[:300].decode(errors="replace"))
    fields = answer[:head].lower()
    at = fields.find(LENGTH)
    if at < 0:
        if CHUNKED in fields:
            return answer.endswith(b"0\r\n\r\n")
        raise Failed("the answer does not say how long it is")
    length = fields[at + len(LENGTH) :].split(b"\r\n", 1)[0]
    return len(answer) >= head + 4 + int(length)


def run(load: Load) -> Timing:
    """Ask again as soon as an answer came, until the time is over; all answers count."""
    connections = [Connection(load) for _ in range(load.connections)]
    try:
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            return _closed_loop(connections, selector, load.seconds)
    finally:
        for connection in connections:
            connection.socket.close()


def _closed_loop(
    connections: Sequence[Connection], selector: selectors.BaseSelector, seconds: float
) -> Timing:
    latencies: list[float] = []
    began = now = perf_counter()
    for connection in connections:
        connection.ask()
    under_way = len(connections)
    while under_way:
        ready = selector.select(SILENCE)
        if not ready:
            raise Failed(f"no answer within {SILENCE:.0f} seconds")
        for key, _ in ready:
            if not key.data.is_answered():
                continue
            now = perf_counter()
            latencies.append(now - key.data.started)
            if now - began < seconds:
                key.data.ask()
            else:
                under_way -= 1
    return _timing(latencies, now - began)


def _timing(latencies: list[float], seconds: float) -> Timing:
    ordered = sorted(latencies)
    p50, p95, p99 = (1e3 * ordered[math.ceil(p * len(ordered)) - 1] for p in (0.5, 0.95, 0.99))
    return Timing(len(ordered), seconds, p50, p95, p99)


class LoadGenerator:
    """The process, for whoever measures: a context, in which `run` is called from outside."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.loadgen"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def run(self, load: Load) -> Timing:
        """Raises Failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = asdict(load) | {"request": base64.b64encode(load.request).decode()}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "failed" in result:
            raise Failed(result["failed"])
        return Timing(**result)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        load = Load(**job | {"request": base64.b64decode(job["request"])})
        try:
            result = asdict(run(load))
        except (Failed, OSError) as error:
            result = {"failed": str(error)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
