"""The worked example: an HTTP client that loses nothing and doubles nothing.

- Reading changes nothing, so it is repeated freely.
- A POST carries an Idempotency-Key, the same one at each try: the service answers a repeat with the
  first answer.
- PATCH and DELETE carry If-Match. A repeat of one that had arrived meets 412 or 404, which may be
  our own doing: `versions.save` compares, and `Answer.repeated` lets `delete` see it.
- A list is read to its end by cursors.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import httpx

from taskapp_client import Json, __version__
from taskapp_client.failures import Failure, Unavailable, failure
from taskapp_client.retries import Patience, is_busy, retry_after

TIMEOUT = httpx.Timeout(30, connect=10)
# A large import is one transaction of the service.
IMPORT_TIMEOUT = httpx.Timeout(300, connect=10)
PAGE = 200


@dataclass(frozen=True)
class Answer:
    """An answer, and whether an earlier try of the same request may have arrived, too."""

    response: httpx.Response
    repeated: bool

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def etag(self) -> str:
        return str(self.response.headers.get("ETag", ""))

    @property
    def body(self) -> Json:
        try:
            body = self.response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self.strange()
        return body

    def strange(self) -> Failure:
        """For an answer that is not one of taskapp."""
        return Failure(f"{self.response.url} does not answer as taskapp does: is the URL right?")


class Service:
    """The API of one service, as one caller. `url` is without /api/v1."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Accept": "application/json", "User-Agent": f"tasks/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=TIMEOUT)

    def close(self) -> None:
        self._http.close()

    def get(
        self, path: str, params: Json | None = None, *, etag: str = "", also: tuple[int, ...] = ()
    ) -> Answer:
        """Read something; with an `etag` that still holds, the answer is a 304 without a body.

        `also` are refusals that the caller handles.
        """
        headers = {"If-None-Match": etag} if etag else {}
        return self._accepted(self._send("GET", path, params=params, headers=headers), 304, *also)

    def items(self, path: str, params: Json | None = None) -> Iterator[Json]:
        """Everything in a list, page by page."""
        query = {"limit": PAGE, **(params or {})}
        while True:
            page = self.get(path, query).body
            yield from page["items"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def post(self, path: str, body: Json | None = None, *, key: str = "", **options: Any) -> Answer:
        """Create something, or do something; once, however often it is sent."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        headers |= options.pop("headers", {})
        return self._accepted(self._send("POST", path, json=body, headers=headers, **options))

    def post_once(self, path: str, body: Json) -> Answer:
        """Send what takes no Idempotency-Key: signing in. It is not repeated by itself."""
        try:
            response = self._http.post(path, json=body)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        return Answer(response, repeated=False)

    def patch(self, path: str, body: Json, *, etag: str) -> Answer:
        """Change what was read with this ETag; 412 when it has changed since."""
        headers = {"If-Match": etag}
        return self._accepted(self._send("PATCH", path, json=body, headers=headers), 412)

    def delete(self, path: str, *, etag: str) -> Answer:
        """Delete what was read with this ETag; 412 when it has changed since."""
        answer = self._send("DELETE", path, headers={"If-Match": etag})
        if answer.repeated and answer.status == 404:
            return answer  # an earlier try deleted it, and its answer was lost
        return self._accepted(answer, 412)

    def import_file(self, content: bytes, media_type: str, params: Json) -> Json:
        """Import tasks; the counts of what was created, updated and unchanged."""
        headers = {"Content-Type": media_type}
        return self.post(
            "/tasks/import", content=content, params=params, headers=headers, timeout=IMPORT_TIMEOUT
        ).body

    def download(self, path: str, params: Json, accept: str, target: IO[bytes]) -> None:
        """Write a whole list in another format to `target`, from its beginning at each try."""
        patience = Patience()
        while True:
            target.seek(0)
            target.truncate()
            try:
                response = self._stream(path, params, accept, target)
            except httpx.TransportError as error:
                patience.wait(self._unreachable(error).message, None)
                continue
            if not is_busy(response):
                self._accepted(Answer(response, repeated=False))
                return
            patience.wait(failure(response).message, retry_after(response))

    def _stream(self, path: str, params: Json, accept: str, target: IO[bytes]) -> httpx.Response:
        with self._http.stream("GET", path, params=params, headers={"Accept": accept}) as response:
            if response.is_success:
                for piece in response.iter_bytes():
                    target.write(piece)
            else:
                response.read()
        return response

    def _send(self, method: str, path: str, **request: Any) -> Answer:
        """Send a request that may be repeated, until it is answered or patience ends."""
        patience = Patience()
        while True:
            try:
                response = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                patience.wait(self._unreachable(error).message, None)
                continue
            if not is_busy(response):
                return Answer(response, repeated=patience.failed > 0)
            patience.wait(failure(response).message, retry_after(response))

    def _accepted(self, answer: Answer, *also: int) -> Answer:
        """The answer, unless it is a refusal; `also` are statuses that the caller handles."""
        response = answer.response
        if response.is_success or response.status_code in also:
            return answer
        if response.is_redirect:
            target = response.headers.get("Location", "elsewhere")
            raise Failure(f"{self.url} redirects to {target}: sign in there with `tasks login`.")
        raise failure(response)

    def _unreachable(self, error: httpx.TransportError) -> Unavailable:
        reason = str(error) or type(error).__name__
        return Unavailable(f"{self.url} cannot be reached ({reason}).")
