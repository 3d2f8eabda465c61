"""Users on the wire."""

from lab.twin.fields import Email, Name, Password, Resource, TimeOut, Wire


class User(Resource):
    id: int
    email: str
    name: str
    role: str
    is_active: bool
    email_verified: bool
    timezone: str
    notifications: dict[str, bool | str | None]
    inbox_id: int
    created_at: TimeOut
    updated_at: TimeOut


class NewUser(Wire):
    """What it takes to register."""

    email: Email
    password: Password
    name: Name
