"""Where the client is, and where it sees this service: behind proxies, below a path.

Answers that are cached or stored hold addresses relative to the service (`/api/v1/tasks/7`); they
become absolute on the way out, because the same answer may leave through another host or path.
"""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Response
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from taskapp.errors import InvalidHost
from taskapp.web.current import Current, current

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
# A name (with `_`, as Compose makes them) or an IPv4 address, or an IPv6 literal; and a port.
HOST = re.compile(
    r"(?P<name>(?=.{1,253}(:|$))[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|\[[0-9a-f:.]+\])"
    r"(:(?P<port>[1-9][0-9]{0,4}))?"
)
# What may stand around an address in X-Forwarded-For (RFC 7239, section 6).
BRACKETED = re.compile(r"\[(?P<address>[^\]]*)\](:[^:]*)?")
WITH_PORT = re.compile(r"(?P<address>[^:]*):[^:]*")


class BelowPath:
    """WSGI middleware: take the path that the service is below (SCRIPT_NAME) off where it stands.

    What comes without it is served, too: probes come past the proxy, which some set to take it off.
    """

    def __init__(self, app: Any, path: str) -> None:
        self.app = app
        self.path = path

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if not environ.get("SCRIPT_NAME"):  # else the server has taken it off
            environ["SCRIPT_NAME"] = self.path
            if f"{environ['PATH_INFO']}/".startswith(f"{self.path}/"):
                environ["PATH_INFO"] = environ["PATH_INFO"][len(self.path) :]
        return self.app(environ, start_response)


class BehindProxies:
    """WSGI middleware: take the client, its scheme, the host and the path from trusted proxies.

    Werkzeug's ProxyFix reads the headers. What is no address, scheme or path there has no effect.
    """

    def __init__(self, app: Any, hops: int) -> None:
        self.app = app
        self.hops = hops
        self.fixed = ProxyFix(self._correct, x_for=0, x_proto=hops, x_host=hops, x_prefix=hops)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.fixed(environ, start_response)

    def _correct(self, environ: Any, start_response: Any) -> Any:
        sent = environ["werkzeug.proxy_fix.orig"]
        environ["wsgi.url_scheme"] = environ["wsgi.url_scheme"].lower()
        if environ["wsgi.url_scheme"] not in {"http", "https"}:
            environ["wsgi.url_scheme"] = sent["wsgi.url_scheme"]
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        if not PREFIX.fullmatch(prefix):
            prefix = sent["SCRIPT_NAME"] or ""
        environ["SCRIPT_NAME"] = prefix
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
        client = self._client(forwarded_for)
        if client:
            environ["REMOTE_ADDR"] = client
        return self.app(environ, start_response)

    def _client(self, forwarded_for: str) -> str:
        """The address that the first trusted proxy saw; where it saw none, that proxy's own."""
        for entry in parse_list_header(forwarded_for)[-self.hops :]:
            address = plain_address(entry)
            if address:
                return address
        return ""


def plain_address(text: str) -> str:
    """The IP address in an entry of X-Forwarded-For, or "" where it names none.

    It may have a port, brackets or a zone; IPv4 in IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    """
    text = text.strip().strip('"')
    around = BRACKETED.fullmatch(text) or WITH_PORT.fullmatch(text)
    if around:
        text = around["address"]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def check_host(current: Current) -> None:
    """Refuse a Host that is malformed, or none of TRUSTED_HOSTS.

    Raises:
        InvalidHost
    """
    host = current.request.environ.get("HTTP_HOST", "").lower()
    name = _host_name(host)
    if not name:
        raise InvalidHost("The Host header is missing, or it is not a host name.")
    trusted = current.settings.trusted_hosts
    if not trusted or current.request.blueprint == "health":  # probes come by address
        return
    if not any(_matches(name, known) for known in trusted):
        raise InvalidHost("The Host header names none of the hosts in TRUSTED_HOSTS.")


@lru_cache(256)
def _host_name(host: str) -> str:
    """The name in a Host header, or "" where it is malformed (RFC 9110, section 7.2)."""
    parts = HOST.fullmatch(host)
    if parts is None or int(parts["port"] or 1) > 65535:
        return ""
    name = parts["name"]
    if not name.startswith("["):
        return name.removesuffix(".")  # the same name, from the root (RFC 1034, section 3.1)
    try:
        return f"[{ip_address(name[1:-1])}]"
    except ValueError:
        return ""


def _matches(name: str, known: str) -> bool:
    if known.startswith("."):
        return name == known[1:] or name.endswith(known)
    return name == known


def locate(current: Current) -> None:
    """Note where the client sees this service: PUBLIC_URL, or where the request came to."""
    environ = current.request.environ
    if "HTTP_HOST" not in environ and environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        environ["HTTP_HOST"] = _own_address(environ)
    current.prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
    public = current.settings.public_url
    if public:
        current.base = public
        current.prefix = urlsplit(public).path
    elif _host_name(environ.get("HTTP_HOST", "").lower()):
        current.base = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{current.prefix}"


def _own_address(environ: Any) -> str:
    """What HTTP/1.0, which may leave Host out, is taken to ask (RFC 9112, section 3.3)."""
    name = environ["SERVER_NAME"]
    if ":" in name:
        name = f"[{name}]"
    return f"{name}:{environ['SERVER_PORT']}"


def own_origins(current: Current) -> set[str]:
    """The origins (RFC 6454) that pages of this service have.

    A name in Host is none of ours unless the operator says so: anybody can point a name of theirs
    at this machine (DNS rebinding), but not an address.
    """
    origins = set()
    public = current.settings.public_url
    if public:
        parts = urlsplit(public)
        origins.add(f"{parts.scheme}://{parts.netloc}")
    name = _host_name(current.request.environ.get("HTTP_HOST", "").lower())
    if current.settings.trusted_hosts or name == "localhost" or plain_address(name):
        origin = current.request.host_url.rstrip("/")
        origins.add(origin)
    return origins


def absolute(path: str) -> str:
    """A path of this service as an address that the client can follow."""
    return current().base + path


def complete(current: Current, response: Response) -> None:
    """Make the addresses in headers absolute, and say where the API is described (RFC 8631)."""
    headers = response.headers
    present = {name for name, _ in headers}
    links = []
    if "Location" in present and headers["Location"].startswith("/"):
        headers["Location"] = current.base + headers["Location"]
    if "Link" in present:
        links = [link.replace("</", f"<{current.base}/", 1) for link in headers.getlist("Link")]
        del headers["Link"]
    links.append(f'<{current.base}/openapi.json>; rel="service-desc"')
    current.headers.append(("Link", ", ".join(links)))
