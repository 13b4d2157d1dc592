"""Which URLs and which network addresses a message may go to; it opens no connection and asks no name server.

A URL is typed by a person and must not become a way to reach what only this machine reaches. The
name may lead elsewhere later, so the address that it leads to is judged again before each message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

LONGEST_URL = 500
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OPEN_IPV6 = IPv6Network("2000::/3")  # what was ever given out; all else is special somehow
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


class UnusableUrl(ValueError):
    """What is wrong with a URL, in a sentence."""


@dataclass(frozen=True)
class Target:
    """Where a request goes: `host` is looked up, `authority` is said to the receiver."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Target:
    """Return what a URL points to. Raises UnusableUrl, also for a literal address that is not public."""
    if len(url) > LONGEST_URL or not re.fullmatch("[!-~]+", url):
        raise UnusableUrl(
            f"Give a URL of at most {LONGEST_URL} characters without spaces; write other than ASCII "
            "characters encoded, and a host name in its “xn--” form."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnusableUrl(f"This is no URL: {error}.") from error
    _check_scheme(parts.scheme)
    if parts.username is not None or parts.password is not None:
        raise UnusableUrl("Leave user name and password out: messages are signed instead.")
    target = Target(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
        path=_path(parts),
    )
    _check_host(target.host)
    _check_port(target.port)
    return target


def origin(url: str) -> str:
    """Return a kept URL without its path, which may be a secret of the receiver's."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_allowed(address: str) -> bool:
    """Say whether a message may be sent to this IP address."""
    return settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS or is_public(ip_address(address))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Say whether the address is one of the open internet's, and of a single machine."""
    if isinstance(address, IPv6Address):
        # A 6to4 address is an IPv4 address in disguise, which may be a private one.
        return address in _OPEN_IPV6 and address.is_global and address.sixtofour is None
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _path(parts: SplitResult) -> str:
    """A fragment is for the sender alone, so it is not sent."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _check_scheme(scheme: str) -> None:
    if scheme == "https" or scheme == "http" and settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS:
        return
    raise UnusableUrl("The URL must begin with https://.")


def _check_host(host: str) -> None:
    try:
        literal = ip_address(host)
    except ValueError:
        if _HOST_NAME.fullmatch(host):
            return
        raise UnusableUrl(f"“{host}” is no host name.") from None
    if not is_allowed(str(literal)):
        raise UnusableUrl(f"{host} is not an address of the open internet.")


def _check_port(port: int) -> None:
    """Ports below 1024 belong to other services, which must not be talked to by way of us."""
    if port not in _DEFAULT_PORTS.values() and port < 1024:
        raise UnusableUrl(f"Port {port} belongs to another service; use 443 or one above 1023.")
