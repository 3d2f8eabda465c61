"""The user endpoints: own_id_or_admin, and everybody for admins."""

from flask import Blueprint

from taskapp.caller import ADMIN
from taskapp.database.pages import Page
from taskapp.database.session import Body, Row
from taskapp.errors import Conflict, EmailTaken, Forbidden, WrongCredentials
from taskapp.users import schemas, service
from taskapp.web.conditional import if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller, own_id_or_admin

users = Blueprint("users", __name__, url_prefix="/api/v1/users")


@users.get("/me")
@replies(schemas.USER)
def get_me() -> Row:
    """Get the current user.

    Your own account, with the id of your inbox.
    """
    return service.get_user(caller().user_id)


@users.patch("/me")
@accepts(body=schemas.ME_PATCH)
@replies(schemas.USER, 200, EmailTaken, Forbidden, WrongCredentials)
def update_me(body: Body) -> Row:
    """Change your name, or your address with your password beside it.

    What is not sent stays. A new e-mail address wants a session, too.
    """
    return service.update_me(caller(), body, if_match())


@users.delete("/me")
@accepts(body=schemas.CURRENT_PASSWORD)
@replies(None, 204, Conflict, Forbidden, WrongCredentials)
def delete_me(body: Body) -> None:
    """Delete the current user, their inbox and the projects that only they are in.

    For good. Projects that others are in, too, stay with them. Only a session may, no personal
    token.
    """
    service.delete_me(caller(), body.get("current_password"), if_match())


@users.get("")
@accepts(query=schemas.USER_QUERY)
@replies(schemas.USER_PAGE, access=ADMIN)
def list_users(query: Body) -> Page:
    """List users; `q` is looked for in addresses and names.

    For admins.
    """
    return service.list_users(query)


@users.post("")
@accepts(body=schemas.NEW_USER_BY_ADMIN, prepare=service.prepare_account)
@replies(schemas.USER, 201, EmailTaken, access=ADMIN)
def create_user(body: Body) -> Row:
    """Make an account for somebody.

    For admins; the account has an inbox, and can sign in at once.
    """
    return service.add_user(**body)


@users.get("/<id:user_id>")
@replies(schemas.USER, 200, Forbidden)
def get_user(user_id: int) -> Row:
    """Show a user: yourself, or as an admin anybody.

    Others than yourself are 403 for whoever is no admin.
    """
    return service.get_user(own_id_or_admin(user_id))


@users.patch("/<id:user_id>")
@accepts(body=schemas.USER_PATCH)
@replies(schemas.USER, 200, Conflict, EmailTaken, access=ADMIN)
def update_user(user_id: int, body: Body) -> Row:
    """Change a user; `is_active: false` ends their sessions and tokens for good.

    For admins. The last active admin can be neither disabled nor demoted.
    """
    return service.update_user(user_id, body, if_match())


@users.delete("/<id:user_id>")
@replies(None, 204, Conflict, access=ADMIN)
def delete_user(user_id: int) -> None:
    """Delete a user, their inbox and the projects that only they are in.

    For admins, and for good. The last active admin cannot be deleted.
    """
    service.delete_user(user_id, if_match())
