"""Credentials and sessions on the wire."""

from marshmallow import Schema, validate

from taskapp.caller import SCOPES
from taskapp.users.schemas import CurrentPasswordSchema
from taskapp.web import fields
from taskapp.web.fields import example


class MailedToken(fields.Text):
    """A token as it stands in a mail."""

    def __init__(self) -> None:
        metadata = example("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        super().__init__(min=1, max=200, required=True, load_only=True, metadata=metadata)


class LoginSchema(Schema):
    """What it takes to sign in.

    Attributes:
        email: The address of the account; capital letters make no difference.
        password: Its password.
    """

    email = fields.Email(required=True)
    password = fields.Password(required=True)


class RefreshSchema(Schema):
    """The refresh token that is still good.

    Attributes:
        refresh_token: The `refresh_token` of the pair that you got last.
    """

    refresh_token = fields.Text(
        min=1, max=4096, required=True, load_only=True, metadata=example("eyJhbGciOi…")
    )


class TokenPairSchema(Schema):
    """A session's two tokens; `expires_in` is in seconds and of the access token.

    Attributes:
        access_token: Send it as `Authorization: Bearer …` with each request.
        refresh_token: Swap it for the next pair when the access token has run out; it is good once.
        token_type: How to send the access token.
        expires_in: For how many seconds the access token is good.
    """

    access_token = fields.Text(max=4096, required=True)
    refresh_token = fields.Text(max=4096, required=True)
    token_type = fields.Choice(("Bearer",), required=True)
    expires_in = fields.Int(required=True)


class PasswordChangeSchema(Schema):
    """The old password and the new one; `end_tokens` ends all personal tokens, too.

    Attributes:
        current_password: The password as it is now; left out by an account that has none.
        new_password: 12 characters or more, hard to guess: a few unrelated words are good.
        end_tokens: `true`: your personal tokens end as well.
    """

    current_password = fields.Password()
    new_password = fields.Password(required=True)
    end_tokens = fields.Bool(load_default=False, load_only=True)


class ConfirmationSchema(Schema):
    """A code of the authenticator that was just set up.

    Attributes:
        code: What the authenticator shows now.
    """

    code = fields.Text(min=1, max=64, required=True, load_only=True, metadata=example("492039"))


class CodeSchema(CurrentPasswordSchema):
    """Proof that it is you, and a code.

    Attributes:
        current_password: The password of your account, if it has one.
        code: What the authenticator shows now, or a recovery code.
    """

    code = fields.Text(min=1, max=64, required=True, load_only=True, metadata=example("492039"))


class SecondStepSchema(Schema):
    """The ticket of a sign-in, and a code.

    Attributes:
        ticket: As `second-factor-required` gave it; good for five minutes and five tries.
        code: What the authenticator shows now, or a recovery code; each works once.
    """

    ticket = fields.Text(min=1, max=100, required=True, load_only=True, metadata=example("pZ3…"))
    code = fields.Text(min=1, max=64, required=True, load_only=True, metadata=example("492039"))


class FactorSchema(Schema):
    """Your second factor.

    Attributes:
        enabled: Whether signing in asks for a code.
        recovery_codes_left: How many recovery codes were not used yet.
    """

    enabled = fields.Bool(dump_only=True, required=True)
    recovery_codes_left = fields.Int(min=0, max=10, dump_only=True, required=True)


class NewFactorSchema(Schema):
    """The seed of a second factor, for an authenticator; it is shown this once.

    Attributes:
        secret: The seed in Base32, to be typed in.
        uri: The same as an `otpauth://` address, for a QR code.
    """

    secret = fields.Text(max=100, required=True)
    uri = fields.Text(max=1000, required=True)


class RecoveryCodesSchema(Schema):
    """Recovery codes, which are shown this once.

    Attributes:
        recovery_codes: Each signs in once in place of a code.
    """

    recovery_codes = fields.List(
        fields.Text(max=64), required=True, validate=validate.Length(equal=10)
    )


class ForgotSchema(Schema):
    """Whose password was forgotten.

    Attributes:
        email: The address of the account; it is mailed to this address.
    """

    email = fields.Email(required=True)


class ResetSchema(Schema):
    """The token of the mail, and the new password.

    Attributes:
        token: As it stands in the mail; good once, and for an hour.
        password: The new password, not one that is easy to guess.
    """

    token = MailedToken()
    password = fields.Password(required=True)


class VerificationSchema(Schema):
    """The token of the mail.

    Attributes:
        token: As it stands in the mail; good once, and for a day.
    """

    token = MailedToken()


class SessionSchema(Schema):
    """A sign-in that is still good.

    Attributes:
        id: The session's number, in the address that ends it.
        user_agent: What signed in called itself.
        created_at: When it signed in.
        last_used_at: When it last swapped its refresh token, or signed in.
        expires_at: When it ends if it is not used before.
    """

    id = fields.Int(dump_only=True)
    user_agent = fields.Text(max=200, dump_only=True)
    created_at = fields.Time(dump_only=True)
    last_used_at = fields.Time(dump_only=True)
    expires_at = fields.Time(dump_only=True)
    current = fields.Bool(dump_only=True, metadata={"description": "Whether it is the one in use."})


class CredentialSchema(Schema):
    """What the credential in use is, and what it may do.

    Attributes:
        kind: `session`: somebody signed in; `token`: a personal token; `proxy`: a proxy in front
            says who it is.
        user_id: Whose it is.
        scopes: What it may do.
        expires_at: When it runs out; null: never.
    """

    kind = fields.Choice(("session", "token", "proxy"), dump_only=True)
    user_id = fields.Int(dump_only=True)
    scopes = fields.List(
        fields.Choice(tuple(SCOPES)), dump_only=True, validate=validate.Length(max=4)
    )
    expires_at = fields.Time(dump_only=True, allow_none=True)


LOGIN = LoginSchema()
REFRESH = RefreshSchema()
TOKEN_PAIR = TokenPairSchema()
PASSWORD_CHANGE = PasswordChangeSchema()
CONFIRMATION = ConfirmationSchema()
CODE = CodeSchema()
SECOND_STEP = SecondStepSchema()
FACTOR = FactorSchema()
NEW_FACTOR = NewFactorSchema()
RECOVERY_CODES = RecoveryCodesSchema()
FORGOT = ForgotSchema()
RESET = ResetSchema()
VERIFICATION = VerificationSchema()
SESSION_PAGE = fields.page_of(SessionSchema)()
CREDENTIAL = CredentialSchema()
