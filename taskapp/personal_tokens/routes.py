"""The endpoints of personal tokens."""

from flask import Blueprint

from taskapp.database.pages import Created, Page
from taskapp.database.session import Body, Row
from taskapp.errors import Forbidden, QuotaExceeded
from taskapp.personal_tokens import schemas, service
from taskapp.web.conditional import if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.fields import PAGE_QUERY

personal_tokens = Blueprint("personal_tokens", __name__, url_prefix="/api/v1")


@personal_tokens.get("/auth/tokens")
@accepts(query=PAGE_QUERY)
@replies(schemas.TOKEN_PAGE)
def list_tokens(query: Body) -> Page:
    """List your personal tokens.

    Without their secrets, which only the answer that made them shows.
    """
    return service.list_tokens(caller().user_id, query)


@personal_tokens.post("/auth/tokens")
@accepts(body=schemas.TOKEN)
@replies(schemas.NEW_TOKEN, 201, Forbidden, QuotaExceeded)
def create_token(body: Body) -> Created:
    """Make a personal token for a script; its secret is shown this once.

    Send the secret as `Authorization: Bearer tsk_…`, or as the password of Basic. Only a session
    may make one, with no more scopes than it has itself.
    """
    made = service.create_token(caller(), body)
    if "feed" in made.row.scopes:
        made.secrets["feed_url"] = f"/api/v1/feeds/{made.secrets['token']}.ics"
    return made


@personal_tokens.get("/auth/tokens/<id:token_id>")
@replies(schemas.TOKEN)
def show_token(token_id: int) -> Row:
    """Show one personal token, without its secret.

    Its name, scopes and end.
    """
    return service.get_token(caller().user_id, token_id)


@personal_tokens.delete("/auth/tokens/<id:token_id>")
@replies(None, 204, Forbidden, access="read")
def end_token(token_id: int) -> None:
    """Delete a personal token, which is refused at once; a token may delete itself.

    A session may delete each token of its user.
    """
    service.end_token(caller(), token_id, if_match())
