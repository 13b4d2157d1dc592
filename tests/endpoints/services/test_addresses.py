"""Which URLs a webhook may have, and which addresses it may lead to."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from endpoints.services import addresses
from endpoints.services.addresses import Target, UnusableUrl


def test_it_works() -> None:
    target = addresses.parse("https://hooks.example.org/a/b?c=d#e")
    assert target == Target("https", "hooks.example.org", 443, "/a/b?c=d")
    assert target.authority == "hooks.example.org"


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://Hooks.Example.org", "hooks.example.org"),
        ("https://example.org:443/", "example.org"),
        ("https://example.org:8443/", "example.org:8443"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443"),
    ],
)
def test_it_takes(url: str, authority: str) -> None:
    assert addresses.parse(url).authority == authority


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://example.org/", "https"),
        ("ftp://example.org/", "https"),
        ("example.org", "https"),
        ("https:///path", "host name"),
        ("https://", "host name"),
        ("https://exa mple.org/", "without spaces"),
        ("https://example.org/\r\nHost: other", "without spaces"),
        ("https://bücher.example/", "xn--"),
        ("https://example.org/" + "a" * 500, "500"),
        ("https://dana:secret@example.org/", "password"),
        ("https://dana@example.org/", "user name"),
        ("https://example.org\\@10.0.0.1/", "user name"),
        ("https://a..b/", "host name"),
        ("https://" + "a" * 64 + ".org/", "host name"),
        ("https://example.org:0/", "Port 0"),
        ("https://example.org:25/", "Port 25"),
        ("https://example.org:99999/", "no URL"),
        ("https://example.org:x/", "no URL"),
        ("https://[::1/", "no URL"),
        ("https://127.0.0.1/", "open internet"),
        ("https://[::1]/", "open internet"),
        ("https://[fe80::1%25eth0]/", "open internet"),
        ("https://169.254.169.254/latest", "open internet"),
    ],
)
def test_it_refuses(url: str, problem: str) -> None:
    with pytest.raises(UnusableUrl, match=problem):
        addresses.parse(url)


@pytest.mark.parametrize("url", ["http://receiver:9000/", "https://10.0.0.1/", "http://[::1]/"])
def test_private_networks_can_be_allowed(url: str, settings: Any) -> None:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = True
    addresses.parse(url)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_an_address_is_not_public(address: str) -> None:
    assert not addresses.is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_an_address_is_public(address: str) -> None:
    assert addresses.is_public(ip_address(address))


def test_the_origin_leaves_the_path_out() -> None:
    assert addresses.origin("https://example.org:8443/T0/secret?x=1") == "https://example.org:8443"
