"""Flask as this service uses it."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, request_tearing_down
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter

from taskapp.web.responses import WholeResponse
from taskapp.web.routing import MatchedRule, RememberingMap, Routes


class NoSession(SessionInterface):
    """No cookie of Flask's: who is signed in stands in a token, and its session in the database."""

    nothing = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        return self.nothing


class OurRequest(Request):
    """Has files to close only if it was asked for them."""

    def close(self) -> None:
        if "files" in self.__dict__:
            super().close()


class Taskapp(Flask):
    """Flask, which looks at each request for what this service never has.

    No view is a coroutine, most return a response, no route depends on the host, and the hooks
    around a view are the app's alone (web/hooks.py): no room and no view has any of its own.
    """

    request_class = OurRequest
    url_rule_class = MatchedRule
    url_map_class = RememberingMap
    session_interface = NoSession()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def preprocess_request(self) -> Any:
        if len(self.before_request_funcs) > 1 or self.url_value_preprocessors:
            return super().preprocess_request()
        for hook in self.before_request_funcs.get(None, ()):
            answer = hook()
            if answer is not None:
                return answer
        return None

    def process_response(self, response: Any) -> Any:
        if len(self.after_request_funcs) > 1:
            return super().process_response(response)
        for hook in reversed(self.after_request_funcs.get(None, ())):
            response = hook(response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        if len(self.teardown_request_funcs) > 1:
            super().do_teardown_request(exc)
            return
        for hook in reversed(self.teardown_request_funcs.get(None, ())):
            hook(exc)
        request_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def make_response(self, rv: Any) -> Any:
        return rv if isinstance(rv, WholeResponse) else super().make_response(rv)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the route; the host stands in redirects alone, and a hook has checked it."""
        if request is None:
            return super().create_url_adapter(None)
        host = request.environ.get("HTTP_HOST", "")
        path = request.path if request.environ.get("PATH_INFO") else ""
        root, scheme = request.root_path, request.scheme
        return Routes(self.url_map, host, root, "", scheme, path, request.method)
