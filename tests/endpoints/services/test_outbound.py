"""One request to the outside: where it goes, where it must not go, and how long it may take."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from endpoints.services import outbound
from endpoints.services.outbound import NotSent
from tests.endpoints.services.receiver import Receiver, running

NAME = "hooks.example.org"
PUBLIC = "93.184.216.34"


@pytest.fixture
def private(settings: Any) -> None:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = True


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let a name lead to these addresses; return the list of names that were looked up."""

    def leads_to(*answers: str) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
            asked.append(host)
            families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in answers]
            return [
                (family, socket.SOCK_STREAM, 6, "", (one, port))
                for family, one in zip(families, answers, strict=True)
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return leads_to


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Refuse every connection, and keep where to it was tried."""
    tried: list[tuple[Any, ...]] = []

    class Refusing(socket.socket):
        def connect(self, place: Any) -> None:
            tried.append(place)
            raise ConnectionRefusedError("refused by the test")

    monkeypatch.setattr(socket, "socket", Refusing)
    return tried


def test_it_works(private: None) -> None:
    with running() as receiver:
        assert outbound.post(receiver.url, b'{"a":1}', {"webhook-id": "7"}) == 200
    assert receiver.bodies == [b'{"a":1}']
    assert receiver.paths == ["/hook?from=raisin"]
    assert receiver.got[0]["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.got[0]["webhook-id"] == "7"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1",
        "fd00:ec2::254",
    ],
)
def test_it_refuses_a_name_that_leads_inside(
    address: str, look_ups: Callable[..., list[str]], connections: list[Any]
) -> None:
    look_ups(address)
    with pytest.raises(NotSent, match="open internet"):
        outbound.post(f"https://{NAME}/", b"", {})
    assert connections == []


def test_one_private_address_among_public_ones_spoils_them_all(
    look_ups: Callable[..., list[str]], connections: list[Any]
) -> None:
    look_ups(PUBLIC, "10.0.0.7")
    with pytest.raises(NotSent, match=r"10\.0\.0\.7"):
        outbound.post(f"https://{NAME}/", b"", {})
    assert connections == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_it_refuses_other_spellings_of_loopback(host: str, connections: list[Any]) -> None:
    with pytest.raises(NotSent, match="open internet"):
        outbound.post(f"https://{host}/", b"", {})
    assert connections == []


def test_it_looks_up_once_and_connects_to_what_it_judged(
    look_ups: Callable[..., list[str]], connections: list[Any]
) -> None:
    asked = look_ups(PUBLIC, "2606:4700::1111")
    with pytest.raises(NotSent, match="refused by the test"):
        outbound.post(f"https://{NAME}:8443/", b"", {})
    assert asked == [NAME]
    assert connections == [(PUBLIC, 8443), ("2606:4700::1111", 8443)]


def test_it_tries_the_next_address(private: None, look_ups: Callable[..., list[str]]) -> None:
    look_ups("127.0.0.2", "127.0.0.1")  # the receiver listens on the second alone
    with running() as receiver:
        assert outbound.post(f"http://{NAME}:{receiver.port}/", b"", {}) == 200


def test_a_name_that_nobody_knows_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(NotSent, match="not known"):
        outbound.post(f"https://{NAME}/", b"", {})


def test_a_slow_name_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(5) and [])
    with pytest.raises(NotSent, match="within 0.1 seconds"):
        outbound.post(f"https://{NAME}/", b"", {}, seconds=0.1)
    released.set()


def test_it_refuses_http(connections: list[Any]) -> None:
    with pytest.raises(NotSent, match="https://"):
        outbound.post("http://example.org/", b"", {})
    assert connections == []


def test_it_follows_no_redirect(private: None) -> None:
    with running() as elsewhere:
        redirecting = Receiver(status=307, headers={"Location": elsewhere.url})
        with running(redirecting):
            assert outbound.post(redirecting.url, b"", {}) == 307
    assert elsewhere.bodies == []


def test_it_ignores_proxies_of_the_environment(
    private: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with running() as receiver:
        assert outbound.post(receiver.url, b"", {}) == 200


def test_a_slow_answer_is_not_waited_for(private: None) -> None:
    with running(Receiver(delay=60)) as receiver, pytest.raises(NotSent, match="within 0.1"):
        outbound.post(receiver.url, b"", {}, seconds=0.1)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answer one connection by hand."""

    def serve() -> None:
        line, _ = server.accept()
        with line:
            line.recv(65_536)
            try:
                talk(line)
            except OSError:
                return  # the sender has hung up

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


def test_a_dripping_answer_ends_at_the_deadline(private: None) -> None:
    def drip(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            line.sendall(b"X-Drop: 1\r\n")
            time.sleep(0.02)

    with raw_server(drip) as url, pytest.raises(NotSent, match=r"within 0\.2"):
        outbound.post(url, b"", {}, seconds=0.2)


def test_of_a_long_answer_64_kib_are_read(private: None, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    class Counting(socket.socket):
        def recv_into(self, buffer: Any, *options: Any) -> int:
            nonlocal read
            count = super().recv_into(buffer, *options)
            read += count
            return count

    def flood(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n" + 50 * (b"X: " + b"a" * 60_000 + b"\r\n"))

    monkeypatch.setattr(socket, "socket", Counting)
    with raw_server(flood) as url:
        assert outbound.post(url, b"", {}) == 200
    assert read == 65_536


@pytest.mark.parametrize("said", [b"", b"220 mail.example.org ESMTP\r\n", b"\x00" * 100])
def test_an_answer_that_is_no_http_is_a_failure(said: bytes, private: None) -> None:
    with (
        raw_server(lambda line: line.sendall(said)) as url,
        pytest.raises(NotSent, match="no answer"),
    ):
        outbound.post(url, b"", {})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for NAME that nobody signed but itself, in one file with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    try:
        subprocess.run(
            ["openssl", *request.split(), *names, *files], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return folder


@pytest.fixture
def secured(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    with running(tls=context) as receiver:
        yield receiver


def test_a_certificate_that_nobody_signed_is_a_failure(
    private: None, secured: Receiver, look_ups: Callable[..., list[str]]
) -> None:
    look_ups("127.0.0.1")
    with pytest.raises(NotSent, match="certificate is refused: self-signed"):
        outbound.post(f"https://{NAME}:{secured.port}/", b"", {})
    assert secured.bodies == []


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate.pem"))


@pytest.mark.usefixtures("private", "trusted")
def test_a_certificate_is_checked_for_the_name_of_the_host(
    secured: Receiver, look_ups: Callable[..., list[str]]
) -> None:
    look_ups("127.0.0.1")
    assert outbound.post(f"https://{NAME}:{secured.port}/", b"{}", {}) == 200
    assert secured.got[0]["host"] == f"{NAME}:{secured.port}"


@pytest.mark.usefixtures("private", "trusted")
def test_a_certificate_for_another_name_is_a_failure(
    secured: Receiver, look_ups: Callable[..., list[str]]
) -> None:
    look_ups("127.0.0.1")
    with pytest.raises(NotSent, match="certificate is refused: Hostname mismatch"):
        outbound.post(f"https://other.example.org:{secured.port}/", b"", {})
    assert secured.bodies == []


def test_a_handshake_that_never_ends_is_not_waited_for(private: None) -> None:
    def say_nothing(line: socket.socket) -> None:
        while line.recv(65_536):
            pass

    with raw_server(say_nothing) as url, pytest.raises(NotSent, match="within 0.1"):
        outbound.post(url.replace("http:", "https:"), b"", {}, seconds=0.1)
