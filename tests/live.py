"""A real site for tests: the demo in an empty folder, served by a real process on a free port.

It keeps its data in SQLite, or in a new PostgreSQL database where DATABASE_URL names such a server.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.postgres import fresh_database

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 120.0
# The first grain of the data set.
ROW: dict[str, float] = {
    "Area": 87524,
    "MajorAxisLength": 442.2460114,
    "MinorAxisLength": 253.291155,
    "Eccentricity": 0.819738392,
    "ConvexArea": 90546,
    "Extent": 0.758650579,
    "Perimeter": 1184.04,
}


@dataclass
class LiveSite:
    """A prepared home folder, and the server on it while one runs."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    demo: dict[str, Any] = field(default_factory=dict)
    database_url: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("RAISIN_", "DJANGO_", "DATABASE_", "COV_"))
            or key == "RAISIN_CSV"
        }
        database = {"DATABASE_URL": self.database_url} if self.database_url else {}
        return kept | database | {"RAISIN_HOME": str(self.home), "RAISIN_URL": self.url}

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )

    def manage_json(self, *arguments: str) -> dict[str, Any]:
        """Run a command with --json; its standard output must be exactly one JSON object."""
        done = self.manage(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert isinstance(facts, dict)
        return facts

    def start(self, *options: str, stdout: str = "server.log") -> float:
        """Start the server; return the seconds until it answers."""
        started = time.monotonic()
        with (self.home / "server.log").open("ab") as log, (self.home / stdout).open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port), *options],
                cwd=ROOT,
                env=self.environment,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        while time.monotonic() - started < START_TIMEOUT:
            if answers(f"{self.url}/healthz"):
                return time.monotonic() - started
            assert self.process.poll() is None, (self.home / "server.log").read_text()
            time.sleep(0.02)
        raise AssertionError((self.home / "server.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.process = None

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method="POST")
        return send(request)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        return send(urllib.request.Request(self.url + path, headers=headers))

    def query(self, sql: str, params: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Read the database past the site. Placeholders are %s; JSON and UUIDs differ, so CAST them."""
        if self.database_url:
            with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
                return connection.execute(sql, params).fetchall()
        file = f"file:{self.home / 'raisin.sqlite3'}?mode=ro"
        plain = [value.hex if isinstance(value, UUID) else value for value in params]
        with closing(sqlite3.connect(file, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            log = f"file:{self.home / 'raisin-log.sqlite3'}?mode=ro"
            connection.execute("ATTACH DATABASE ? AS log", [log])
            return [dict(row) for row in connection.execute(sql.replace("%s", "?"), plain)]

    def login_link(self) -> str:
        return str(self.manage_json("login_link")["login_url"])


def send(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def live_site(home: Path, *, database_like: str = "") -> Iterator[LiveSite]:
    """An empty site, not yet started, on the kind of database that the tests run on."""
    with ExitStack() as stack:
        site = LiveSite(home, free_port())
        server = os.environ.get("DATABASE_URL", "")
        if server.startswith(("postgres://", "postgresql://")):
            site.database_url = stack.enter_context(fresh_database(server, like=database_like))
        stack.callback(site.stop)
        yield site


@contextmanager
def copied_site(original: LiveSite, home: Path) -> Iterator[LiveSite]:
    """A site that starts with all that a demo has, which itself never runs."""
    with live_site(home, database_like=original.database_url) as site:
        shutil.copytree(original.home, site.home, dirs_exist_ok=True)
        login_url = original.demo["login_url"].replace(original.url, site.url)
        site.demo = original.demo | {"home": str(site.home), "login_url": login_url}
        yield site


@pytest.fixture(scope="session")
def demo_as_made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """The demo as the command leaves it, to be copied: making it takes seconds."""
    with live_site(tmp_path_factory.mktemp("demo")) as site:
        site.demo = site.manage_json("demo")
        yield site


@pytest.fixture(scope="session")
def demo_site(
    demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveSite]:
    """The demo, served; shared by all tests that change nothing that another one looks at."""
    with copied_site(demo_as_made, tmp_path_factory.mktemp("live")) as site:
        site.start()
        yield site


@pytest.fixture
def own_demo(demo_as_made: LiveSite, tmp_path: Path) -> Iterator[LiveSite]:
    """A demo of one's own, served, for stories that change what is in production."""
    with copied_site(demo_as_made, tmp_path) as site:
        site.start()
        yield site
