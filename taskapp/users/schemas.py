"""Users on the wire."""

from marshmallow import Schema, validate

from taskapp.users.models import ROLES
from taskapp.web import fields
from taskapp.web.dates import TimeZone
from taskapp.web.fields import PageQuerySchema, example

TIME_OF_DAY = validate.Regexp(
    "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", error="Not a time of day, as 07:30."
)
VERIFIED = {
    "description": "Whether the address was proved to be the user's; what an admin makes counts as"
    " proved, and a changed address does not."
}


class NotificationsSchema(Schema):
    """What is mailed to a user, where mail is set up.

    Attributes:
        reminder: Reminders of tasks that are yours, or that you made and nobody has.
        assigned: Tasks that others assign to you.
        digest_at: The time of day, in your time zone, at which you are mailed what is due;
            `null`: never.
    """

    reminder = fields.Bool()
    assigned = fields.Bool()
    digest_at = fields.Text(
        min=5, max=5, allow_none=True, validate=[TIME_OF_DAY], metadata=example("07:30")
    )


class UserSchema(fields.Resource):
    """A user: an account.

    Attributes:
        id: The user's number, in `assignee_id` and `created_by` of tasks.
        email: The address to sign in with; capital letters make no difference.
        name: What others see.
        role: `admin` may also look after the accounts of others.
        is_active: `false`: the account is disabled, and cannot sign in.
        timezone: What `today` means to this user: an IANA name.
        notifications: What is mailed to this user.
        inbox_id: The project that is this user's inbox.
        created_at: When the account was made.
        updated_at: When it was last changed.
    """

    location = "/api/v1/users/{id}"
    id = fields.Int(dump_only=True)
    email = fields.Email(required=True)
    name = fields.Text(min=1, max=200, trim=True, required=True, metadata=example("Alice"))
    role = fields.Choice(ROLES)
    is_active = fields.Bool()
    email_verified = fields.Bool(metadata=VERIFIED)
    timezone = TimeZone()
    notifications = fields.Nested(NotificationsSchema, dump_only=True)
    inbox_id = fields.Int(dump_only=True)
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)


class NewUserByAdminSchema(UserSchema):
    """What it takes to make an account for somebody else.

    Attributes:
        password: 12 characters or more, hard to guess: a few unrelated words are good.
    """

    password = fields.Password(required=True)


class NewUserSchema(NewUserByAdminSchema):
    """What it takes to register."""

    class Meta:
        exclude = ("role", "is_active", "email_verified")


class MePatchSchema(Schema):
    """What users change of themselves; a new `email` wants `current_password`.

    Attributes:
        name: What others see.
        email: The new address to sign in with; wants `current_password` beside it.
        timezone: What `today` means to you: an IANA name.
        notifications: What is mailed to you; what is left out stays as it is.
        current_password: Proof that it is really you.
    """

    name = fields.Text(min=1, max=200, trim=True, metadata=example("Alice"))
    email = fields.Email()
    timezone = TimeZone()
    notifications = fields.Nested(NotificationsSchema(partial=True))
    current_password = fields.Password()


class CurrentPasswordSchema(Schema):
    """Proof that it is really you.

    Attributes:
        current_password: The password of your account; one that has none may leave it out within
            five minutes of a sign-in.
    """

    current_password = fields.Password()


class UserQuerySchema(PageQuerySchema):
    """The query of the user list.

    Attributes:
        q: Only users with this in the e-mail address or the name.
        role: Only users with this role.
        is_active: `true`: only active users; `false`: only disabled ones.
    """

    q = fields.Text(min=1, max=200)
    role = fields.Choice(ROLES)
    is_active = fields.QueryBool()


USER = UserSchema()
USER_PATCH = UserSchema(partial=True)
USER_PAGE = fields.page_of(UserSchema)()
USER_QUERY = UserQuerySchema()
NEW_USER = NewUserSchema()
NEW_USER_BY_ADMIN = NewUserByAdminSchema()
ME_PATCH = MePatchSchema(partial=True)
CURRENT_PASSWORD = CurrentPasswordSchema()
