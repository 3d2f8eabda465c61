"""Where a webhook may call: no private network but those of WEBHOOK_NETWORKS (SSRF).

An address is judged twice: its text when it is set, and what its name resolves to at each connect.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# What Python takes for global and leads elsewhere: translations, relays, documentation.
NOT_GLOBAL = [
    ipaddress.ip_network(network)
    for network in (
        *(
            "192.0.0.0/24",
            "192.88.99.0/24",
            "::/96",
            "::ffff:0:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
        ),
        *("2002::/16", "2001::/23", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
]
MAX_URL = 2000
NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
BAD_TEXT = "Must be an address in ASCII without blanks, of at most 2000 characters."


class BadAddress(ValueError):
    """A webhook may not call there; the message says why."""


def check(url: str, networks: Sequence[IPNetwork]) -> SplitResult:
    """Judge an address by its text.

    Raises:
        BadAddress
    """
    if len(url) > MAX_URL or not url.isascii():
        raise BadAddress(BAD_TEXT)
    if any(ord(sign) <= 32 or sign == "\\" for sign in url):
        raise BadAddress(BAD_TEXT)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadAddress("Must be an address as in: https://example.com/hook.") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise BadAddress("Must be an address as in: https://example.com/hook.")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("Must hold no user and no password.")
    if port == 0:
        raise BadAddress("There is no port 0.")
    if parts.scheme == "http" and not networks:
        raise BadAddress("Must begin with https://; http only into WEBHOOK_NETWORKS.")
    _check_literal(host, parts.scheme, networks)
    return parts


def _check_literal(host: str, scheme: str, networks: Sequence[IPNetwork]) -> None:
    literal = _literal(host)
    if literal is None:  # a name; what it resolves to is judged at each connect
        if not NAME.fullmatch(host):
            raise BadAddress("Must be an address as in: https://example.com/hook.")
    elif not may_connect(literal, scheme, networks):
        raise BadAddress("This address is not on the internet, nor in WEBHOOK_NETWORKS.")


def _literal(host: str) -> str | None:
    """The IP address that a host is, also where it is written as `127.1`, `0x7f.1` or a number."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def resolve(host: str, port: int, scheme: str, networks: Sequence[IPNetwork]) -> str:
    """The address to connect to; every address of the name must be allowed.

    Raises:
        BadAddress: One of them is not.
        OSError: The name does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not may_connect(address, scheme, networks):
            raise BadAddress("The name leads to an address that webhooks may not reach.")
    return addresses[0]


def may_connect(address: str, scheme: str, networks: Sequence[IPNetwork]) -> bool:
    """Whether a webhook may connect to this IP address."""
    without_zone, _, _ = address.partition("%")
    ip: IPAddress = ipaddress.ip_address(without_zone)
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if _is_in(ip, networks):
        return True
    if scheme != "https":
        return False
    return ip.is_global and not ip.is_multicast and not _is_in(ip, NOT_GLOBAL)


def _is_in(ip: IPAddress, networks: Sequence[IPNetwork]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)


def masked(url: str) -> str:
    """An address without what may be a credential: only where it leads."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"
