"""The product as a process: from an empty folder to logged answers, promotion without a restart, memory."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from benchmarks.footprint import FORBIDDEN, loaded_modules, process_tree, proportional_memory
from tests.live import ROW, LiveSite, live_site

pytestmark = pytest.mark.process

PREDICT = "/api/v1/raisin/predict"


def log_row(site: LiveSite, request_id: str) -> dict[str, Any]:
    (found,) = site.query(
        "SELECT CAST(r.inputs AS TEXT) AS inputs, CAST(r.probabilities AS TEXT) AS probabilities, "
        "v.number FROM endpoints_predictionrequest r "
        "JOIN endpoints_algorithmversion v ON v.id = r.version_id WHERE r.id = %s",
        [UUID(request_id)],
    )
    return found


def test_it_works(demo_site: LiveSite) -> None:
    """All four body shapes give one probability, and each answer is in the log."""
    values = list(ROW.values())
    bodies = [ROW, {"features": ROW}, {"features": [values]}, {"rows": [ROW]}]
    probabilities = set()
    for body in bodies:
        status, answer = demo_site.post(PREDICT, body)
        assert status == 200, answer
        assert answer["status"] == "OK"
        probabilities.add(answer["probability"])
        logged = log_row(demo_site, answer["request_id"])
        assert json.loads(logged["inputs"]) == [[float(value) for value in values]]
        assert json.loads(logged["probabilities"]) == [answer["probability"]]
        assert logged["number"] == answer["version"] == demo_site.demo["production"]
    assert len(probabilities) == 1


def sent_as_it_is(site: LiveSite, *headers: bytes) -> tuple[int, str]:
    """Post a row with these header lines past every client; return status and body."""
    body = json.dumps(ROW).encode()
    head = [f"POST {PREDICT} HTTP/1.1".encode(), b"Host: 127.0.0.1", b"Connection: close", *headers]
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        length = f"Content-Length: {len(body)}".encode()
        connection.sendall(b"\r\n".join([*head, length, b"", body]))
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    return int(answer.split(" ", 2)[1]), answer


@pytest.mark.parametrize(
    "headers",
    [
        ["X-Unit-ID: grün".encode()],
        ["X-Unit-ID: grün".encode("latin-1")],
        [b"X-Unit-ID:"],
        [b"X-Unit-ID: user-1", b"X-Unit-ID: user-2"],
        ["X-Unit-ID: grün".encode(), b"X-Unit-ID: user-2"],
    ],
)
def test_a_unit_that_cannot_be_read_is_refused(demo_site: LiveSite, headers: list[bytes]) -> None:
    """The server hands such headers on without their text, or as one."""
    status, answer = sent_as_it_is(demo_site, *headers)
    assert status == 400, answer
    assert "X-Unit-ID has 1 to 128 visible ASCII characters" in answer
    assert sent_as_it_is(demo_site, b"X-Unit-ID: user-1")[0] == 200


def test_it_is_live_and_ready(demo_site: LiveSite) -> None:
    assert demo_site.get("/healthz") == (200, {"status": "OK"})
    status, body = demo_site.get("/readyz")
    assert (status, body["status"]) == (200, "OK")
    assert body["checks"]["models"] == "OK"


def test_the_doctor_finds_it_healthy(demo_site: LiveSite) -> None:
    facts = demo_site.manage_json("doctor")
    assert facts["healthy"], facts


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[LiveSite]:
    with live_site(tmp_path) as site:
        yield site


def test_it_loads_no_heavy_library_and_stays_small(own_demo: LiveSite) -> None:
    """A server of its own: what other tests browse before must not decide."""
    assert own_demo.process is not None
    for _ in range(1_000):
        own_demo.post(PREDICT, ROW)
    assert not loaded_modules(own_demo.process.pid) & FORBIDDEN
    assert proportional_memory(own_demo.process.pid) < 128 * 1024 * 1024


def test_a_promotion_is_visible_within_a_second_and_without_a_restart(own_demo: LiveSite) -> None:
    before = own_demo.post(PREDICT, ROW)[1]["version"]
    done = own_demo.manage("shell", "-c", PROMOTE_STAGED)
    assert done.returncode == 0, done.stderr
    time.sleep(1)
    after = own_demo.post(PREDICT, ROW)[1]["version"]
    assert (before, after) == (own_demo.demo["production"], own_demo.demo["staging"])


PROMOTE_STAGED = """
from django.utils import timezone
from endpoints.models import AlgorithmVersion
from endpoints.services import lifecycle
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision
decision = Decision(actor=Caller(system="test"), now=timezone.now(), reason="a test of visibility")
lifecycle.promote(version=AlgorithmVersion.objects.get(status="staging"), decision=decision)
"""


def test_an_empty_folder_is_served_with_a_login_link(own_site: LiveSite) -> None:
    own_site.start()
    log = (own_site.home / "server.log").read_text()
    assert f"{own_site.url}/login/link/?token=" in log
    assert own_site.get("/readyz")[0] == 200
    assert own_site.post(PREDICT, ROW)[0] == 404


def test_it_refuses_a_taken_port(demo_site: LiveSite) -> None:
    done = demo_site.manage("serve", "--port", str(demo_site.port))
    assert done.returncode != 0
    assert "Choose another --port" in done.stderr


def test_the_demo_can_be_repeated(demo_site: LiveSite) -> None:
    again = demo_site.manage_json("demo")
    assert again["login_url"] != demo_site.demo["login_url"]
    assert again["runs"] == demo_site.demo["runs"]


def test_the_demo_has_content_for_every_page(demo_site: LiveSite) -> None:
    facts = demo_site.demo
    assert len(facts["runs"]) == 3
    assert facts["predictions"] == 2_000
    assert facts["feedback"] > 1_000
    assert facts["production"] != facts["staging"]


@pytest.mark.parametrize("charset", ["utf-8", "bz2_codec", "rot13", "utf-16", "no-such", ""])
def test_a_charset_that_a_caller_names_is_ignored(demo_site: LiveSite, charset: str) -> None:
    """Python knows "charsets" that decompress or fail, and Django looks them up."""
    content_type = f"application/json; charset={charset}; a=b"
    headers = {"Content-Type": content_type}
    status, answer = demo_site.post(f"{PREDICT}?status=production", ROW, **headers)
    assert (status, answer["status"]) == (200, "OK")


def test_its_standard_output_is_one_json_object(own_site: LiveSite) -> None:
    own_site.start("--json", stdout="server.out")
    own_site.post(PREDICT, ROW)
    own_site.stop()
    said = json.loads((own_site.home / "server.out").read_text())
    assert said["url"] == own_site.url
    assert said["login_url"].startswith(f"{own_site.url}/login/link/?token=")


def workers(site: LiveSite) -> list[int]:
    assert site.process is not None
    return [pid for pid in process_tree(site.process.pid) if b"--beside" in words(pid)]


def words(pid: int) -> list[bytes]:
    """The command line of a process; none once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def wait_for_a_worker(site: LiveSite, but: tuple[int, ...] = ()) -> int:
    end = time.monotonic() + 60
    while not (found := [pid for pid in workers(site) if pid not in but]):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found[0]


def wait_for_the_end(pid: int) -> None:
    end = time.monotonic() + 60
    while words(pid) not in ([], [b""]):  # what ended and is not waited for yet has no words
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_worker_beside_the_server_ends_with_it(own_site: LiveSite) -> None:
    own_site.start("--with-worker")
    worker = wait_for_a_worker(own_site)
    assert own_site.process is not None
    servers = [pid for pid in process_tree(own_site.process.pid) if b"-P" in words(pid)]
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    own_site.process.wait()
    wait_for_the_end(worker)


def test_a_killed_worker_is_started_anew_and_one_that_was_asked_to_end_is_not(
    own_site: LiveSite,
) -> None:
    own_site.start("--with-worker")
    first = wait_for_a_worker(own_site)
    os.kill(first, signal.SIGKILL)
    second = wait_for_a_worker(own_site, but=(first,))
    keeper = parent_of(second)
    os.kill(keeper, signal.SIGTERM)
    wait_for_the_end(second)
    wait_for_the_end(keeper)
    assert workers(own_site) == []


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
