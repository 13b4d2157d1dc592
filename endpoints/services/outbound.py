"""Sends one HTTP request to the outside, to a checked address and in bounded time; it knows no webhook.

The name is looked up once, every address it leads to is judged, and the connection goes to the very
address that was judged: whoever changes the name between two look-ups gains nothing. A redirect is
an answer like any other, and proxies of the environment are not used. Only the worker imports this.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from threading import Thread
from typing import Any

from endpoints.services import addresses
from endpoints.services.addresses import Target, UnusableUrl

SECONDS = 10.0
MOST_BYTES = 65_536
USER_AGENT = "Raisin-Webhooks/1"

Place = tuple[socket.AddressFamily, tuple[Any, ...]]


class NotSent(Exception):
    """Why there was no answer, in a sentence."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS) -> int:
    """Return the status of the answer, whatever it is; what the receiver says further is not read."""
    deadline = time.monotonic() + seconds
    try:
        target = addresses.parse(url)
        with closing(_secure(_connect(target, deadline), target, deadline)) as line:
            return _exchange(target, _Bounded(line, deadline), body, headers)
    except UnusableUrl as error:
        raise NotSent(str(error)) from error
    except TimeoutError as error:
        raise NotSent(f"There was no answer within {seconds:g} seconds.") from error
    except ssl.SSLCertVerificationError as error:
        raise NotSent(f"The receiver's certificate is refused: {error.verify_message}.") from error
    except (OSError, HTTPException) as error:
        raise NotSent(f"The receiver gave no answer: {error}.") from error


def _connect(target: Target, deadline: float) -> socket.socket:
    """Try each address of the host; one that swallows packets leaves the others their share of time."""
    places = _look_up(target, deadline)
    problem: OSError = TimeoutError()
    for waiting, (family, place) in zip(range(len(places), 0, -1), places, strict=True):
        line = socket.socket(family, socket.SOCK_STREAM)
        try:
            line.settimeout(_left(deadline) / waiting)
            line.connect(place)
        except OSError as error:
            line.close()
            problem = error
        else:
            return line
    raise problem


def _look_up(target: Target, deadline: float) -> list[Place]:
    """Return the addresses of the host; a single one that is not allowed spoils them all."""
    found = _ask_name_server(target).result(timeout=_left(deadline))
    places = list(dict.fromkeys((family, place) for family, _, _, _, place in found))
    for _, place in places:
        if not addresses.is_allowed(str(place[0])):
            raise NotSent(f"{target.host} leads to {place[0]}, which is not of the open internet.")
    return places


def _ask_name_server(target: Target) -> Future[Any]:
    """Ask in a thread that nobody waits for: the look-up of the system knows no time limit."""
    answer: Future[Any] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except OSError as error:
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return answer


def _secure(line: socket.socket, target: Target, deadline: float) -> socket.socket:
    """Check the certificate for the host's name, although the connection went to an address."""
    if target.scheme != "https":
        return line
    line.settimeout(_left(deadline))
    return ssl.create_default_context().wrap_socket(line, server_hostname=target.host)


def _exchange(target: Target, line: _Bounded, body: bytes, headers: Mapping[str, str]) -> int:
    connection = HTTPConnection(target.host)
    connection.sock = line  # it would connect by itself otherwise
    ours = {"Host": target.authority, "User-Agent": USER_AGENT, "Connection": "close"}
    connection.request("POST", target.path, body, ours | dict(headers))
    return connection.getresponse().status


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Bounded:
    """The part of a socket that http.client uses, with one deadline over all of it."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line = line
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(_left(self._deadline))
        self._line.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Answer(self._line, self._deadline))

    def close(self) -> None:
        """Left to whoever opened the socket."""


class _Answer(io.RawIOBase):
    """What the receiver says, until the deadline and up to MOST_BYTES: it may drip or never end."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        super().__init__()
        self._line = line
        self._deadline = deadline
        self._bytes_left = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = memoryview(buffer)[: self._bytes_left]
        if not wanted:
            return 0
        self._line.settimeout(_left(self._deadline))
        count = self._line.recv_into(wanted)
        self._bytes_left -= count
        return count
