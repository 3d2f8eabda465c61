"""A page that says how to go on, for a person whose browser was sent to the API and refused."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, render_template

from taskapp import errors
from taskapp.web.contract import contract_of
from taskapp.web.current import current
from taskapp.web.docs import PAGE_POLICY, is_for_people


def explains_refusals(view: Callable[..., Any]) -> Callable[..., Any]:
    """Answer a refusal with a page where the browser prefers HTML; the status stays."""
    contract_of(view).explains_refusals = True

    @wraps(view)
    def wrapper(**kwargs: Any) -> Any:
        try:
            return view(**kwargs)
        except errors.Refusal as refusal:
            if not is_for_people():
                raise
            return _page(refusal)

    return wrapper


def _page(refusal: errors.Refusal) -> Response:
    response = errors.problem(refusal)
    about = {"detail": refusal.detail, "request_id": current().request_id}
    response.set_data(render_template("refused.html", prefix=current().prefix, **about))
    response.mimetype = "text/html"
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
