"""The account endpoints: registering and signing in."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from lab.twin.auth import service
from lab.twin.auth.schemas import Login, TokenPair
from lab.twin.conditional import etag, tagged
from lab.twin.database import Database, Writer, database
from lab.twin.settings import Settings
from lab.twin.strict import StrictRoute, no_parameters
from lab.twin.users import service as accounts
from lab.twin.users.schemas import NewUser, User

auth = APIRouter(tags=["auth"], route_class=StrictRoute, dependencies=[Depends(no_parameters)])


def settings(request: Request) -> Settings:
    told: Settings = request.app.state.settings
    return told


Told = Annotated[Settings, Depends(settings)]


@auth.post("/register", status_code=201, response_model=User)
async def register(body: NewUser, response: Response, settings: Told, db: Writer) -> Any:
    """Make an account."""
    user = await accounts.register(db, settings, body.email, body.password, body.name)
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    tagged(response, etag(user))
    return user


@auth.post("/login")
async def login(
    body: Login, request: Request, settings: Told, database: Annotated[Database, Depends(database)]
) -> TokenPair:
    """Sign in: begin a session."""
    address = request.client.host if request.client else ""
    client = service.Client(request.headers.get("User-Agent", "")[:200], address)
    return await service.login(database, settings, body, client)
