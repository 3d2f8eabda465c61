"""An identity provider on loopback that does whatever a test wants of it, and checks PKCE."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

Json = dict[str, Any]
CLIENT, SECRET = "taskapp", "a secret: of + the provider's"


class Key:
    """A key that tokens are signed with, and its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.private = ec.generate_private_key(ec.SECP256R1())

    def public(self) -> Json:
        shown = json.loads(ECAlgorithm.to_jwk(self.private.public_key()))
        return {**shown, "kid": self.name, "use": "sig", "alg": "ES256"}

    def sign(self, claims: Json, **headers: Any) -> str:
        return jwt.encode(claims, self.private, "ES256", headers={"kid": self.name, **headers})


@dataclass
class Provider:
    """What it publishes, what it answers, and what it was asked."""

    port: int
    keys: list[Key] = field(default_factory=lambda: [Key("first")])
    signs_with: Key | None = None  # by default the first that is published
    metadata: Json = field(default_factory=dict)  # instead of the true one
    answers: dict[str, Json] = field(default_factory=dict)  # by path, instead of the true one
    raw: dict[str, tuple[int, bytes, float]] = field(default_factory=dict)  # status, body, seconds
    userinfo: Json = field(default_factory=dict)
    codes: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def vouch(self, request: Json, **changes: Any) -> str:
        """Somebody signs in; returns the code. A claim that is None is left out."""
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "subject-1",
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "nonce": request["nonce"],
            "email": "finn@example.com",
            "email_verified": True,
            "name": "Finn",
            **changes,
        }
        code = f"code-{len(self.codes)}"
        claims = {name: value for name, value in claims.items() if value is not None}
        self.codes[code] = {"request": request, "claims": claims}
        return code

    def answer(self, path: str, form: Json, headers: Any) -> tuple[int, Any]:
        self.asked.append(path)
        if path in self.answers:
            return 200, self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, self._configuration()
        if path == "/keys":
            return 200, {"keys": [key.public() for key in self.keys]}
        if path == "/userinfo":
            right = headers["Authorization"] == "Bearer opaque"
            return (200, self.userinfo) if right else (401, {"error": "invalid_token"})
        return self._token(form, headers["Authorization"])

    def _configuration(self) -> Json:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=acme",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            **self.metadata,
        }

    def _token(self, form: Json, authorization: str | None) -> tuple[int, Json]:
        if authorization is None:
            pair = (form.get("client_id"), form.get("client_secret"))
        else:
            sent = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            pair = tuple(dict(parse_qsl(f"a={part}"))["a"] for part in sent.split(":"))  # type: ignore[assignment]
        if pair != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        kept = self.codes.pop(form["code"], None)
        if kept is None:
            return 400, {"error": "invalid_grant"}
        hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        request = kept["request"]
        if (challenge, form["redirect_uri"]) != (
            request["code_challenge"],
            request["redirect_uri"],
        ):
            return 400, {"error": "invalid_grant"}
        key = self.signs_with or self.keys[0]
        return 200, {"access_token": "opaque", "id_token": key.sign(kept["claims"])}


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that is there until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/authorize":  # whoever comes is signed in at once
                self._send_back(dict(parse_qsl(query)))
                return
            length = int(self.headers.get("Content-Length", 0))
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            if path in known.raw:
                self._send_raw(*known.raw[path])
                return
            status, body = known.answer(path, form, self.headers)
            self._send_raw(status, json.dumps(body).encode(), 0)

        do_POST = do_GET  # noqa: N815 - http.server's own name

        def _send_back(self, request: Json) -> None:
            answer = urlencode({"code": known.vouch(request), "state": request["state"]})
            self.send_response(303)
            self.send_header("Location", f"{request['redirect_uri']}?{answer}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send_raw(self, status: int, body: bytes, seconds: float) -> None:
            """The body comes within so many seconds, in ten pieces."""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", f"{known.issuer}/elsewhere")
            self.end_headers()
            size = max(1, len(body) // 10)
            try:
                for start in range(0, len(body), size):
                    time.sleep(seconds / 10)
                    self.wfile.write(body[start : start + size])
            except OSError:
                pass  # it had enough

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known = Provider(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
