"""Where a webhook may call: the internet, and the networks that the operator names"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from taskapp.webhooks import addresses

INSIDE = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.0.8", "192.88.99.1", "198.18.0.1"),  # noqa: S104 - a list of what is refused
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "fec0::1", "3fff::1"),
    *(
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "::ffff:0:127.0.0.1",
    ),
    *("64:ff9b:1::1", "2002:7f00:1::", "2001::1", "5f00::1", "2001:db8::1", "::ffff:0:127.0.0.1"),
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
PRIVATE = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_is_reached(address: str) -> None:
    assert not addresses.may_connect(address, "https", ())


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_internet_is_reached_over_https_alone(address: str) -> None:
    assert addresses.may_connect(address, "https", ())
    assert not addresses.may_connect(address, "http", PRIVATE)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("10.1.2.3", True), ("fd00::7", True), ("10.2.0.1", False), ("127.0.0.1", False)],
)
def test_the_operator_may_open_networks(address: str, allowed: bool) -> None:
    for scheme in ("https", "http"):
        assert addresses.may_connect(address, scheme, PRIVATE) is allowed


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com", "https://example.com:8443/hook?a=b", "https://[2606:4700::1]/"),
        *(
            "https://HOOKS.Example.com./",
            "https://a_b.example/",
            "https://8.8.2056/",
            "https://x1/",
        ),
    ],
)
def test_takes_addresses_on_any_port(url: str) -> None:
    assert addresses.check(url, ()).hostname


def test_http_needs_a_network_of_the_operator() -> None:
    with pytest.raises(addresses.BadAddress, match="WEBHOOK_NETWORKS"):
        addresses.check("http://intranet/hook", ())
    assert addresses.check("http://intranet/hook", PRIVATE).hostname == "intranet"


def test_shows_where_a_credential_leads_and_no_more() -> None:
    assert addresses.masked("https://hooks.example/T0/secret?x=1") == "https://hooks.example/…"


@pytest.mark.parametrize("address", ["10.0.255.255", "10.2.0.0", "fbff::1", "fe00::1"])
def test_a_network_ends_where_it_ends(address: str) -> None:
    assert not addresses.may_connect(address, "http", PRIVATE)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/" + "a" * (addresses.MAX_URL - 19),
        "https://example.com/a b",
        "https://example.com\\@10.0.0.1/",
        "https://exämple.com/",
        "https://user:secret@example.com/",
        "https://example.com:0/",
        "https://example.com:port/",
        "https://[::1",
        "ftp://example.com/",
        "https:///path",
        *("https://2130706433/", "https://127.1/", "https://0x7f.1/", "https://0177.0.0.1/"),
        *("https://0/", "https://0x7f000001:8443/", "https://a..b/", "https://.a/", "https://a*b/"),
    ],
)
def test_the_text_of_an_address_is_judged(url: str) -> None:
    with pytest.raises(addresses.BadAddress):
        addresses.check(url, ())


def test_the_longest_address_is_taken() -> None:
    url = "https://example.com/" + "a" * (addresses.MAX_URL - 20)

    assert addresses.check(url, ()).hostname == "example.com"


def test_one_bad_address_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)

    with pytest.raises(addresses.BadAddress):
        addresses.resolve("example.com", 443, "https", ())
