"""Clients that ask a real server without a pause, and remember every answer that reached them."""

from __future__ import annotations

import http.client
import json
import random
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.live import ROW, LiveSite

CONNECTIONS = 16
PREDICT = "/api/v1/raisin/predict"


@dataclass(frozen=True)
class Received:
    """One answer as a client has it, and the row that was asked."""

    correlation_id: str
    row: dict[str, float]
    answer: dict[str, Any]


@dataclass
class Load:
    """What came back so far: answers, other statuses, and connections that broke.

    The clients have these keys in turn; one without a key asks as anybody may. Each request is for one of
    `units`, if there are any.
    """

    site: LiveSite
    keys: Sequence[str] = ("",)
    units: Sequence[str] = ()
    received: list[Received] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    not_json: list[bytes] = field(default_factory=list)
    broken: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def ask_on(self, seed: int) -> None:
        """One client: it asks until it shall stop, and connects anew where a connection breaks."""
        chance, connection = random.Random(seed), self._connection()
        while not self.stopping.is_set():
            try:
                self._ask(connection, chance, self.keys[seed % len(self.keys)])
            except (OSError, http.client.HTTPException):
                self.broken += 1
                connection.close()
                self.stopping.wait(0.02)
                connection = self._connection()
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)

    def _ask(self, connection: http.client.HTTPConnection, chance: random.Random, key: str) -> None:
        row = {name: value * chance.uniform(0.5, 1.5) for name, value in ROW.items()}
        correlation_id = uuid.uuid4().hex
        headers = {"X-Request-ID": correlation_id}
        if self.units:
            headers["X-Unit-ID"] = chance.choice(self.units)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        connection.request("POST", PREDICT, json.dumps(row), headers)
        response = connection.getresponse()
        body = response.read()
        if response.status == 200:
            self.received.append(Received(correlation_id, row, json.loads(body)))
            return
        if response.headers.get_content_type() != "application/json":
            self.not_json.append(body)
        self.refused[response.status] += 1
        self.without_retry_after += "Retry-After" not in response.headers
        self.stopping.wait(0.02)


@contextmanager
def load(
    site: LiveSite,
    *,
    connections: int = CONNECTIONS,
    keys: Sequence[str] = ("",),
    units: Sequence[str] = (),
) -> Iterator[Load]:
    """Keep the clients asking while the block runs."""
    running = Load(site, keys, units)
    clients = [
        threading.Thread(target=running.ask_on, args=(seed,), daemon=True)
        for seed in range(connections)
    ]
    for client in clients:
        client.start()
    try:
        yield running
    finally:
        running.stopping.set()
        for client in clients:
            client.join()
