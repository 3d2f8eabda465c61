"""Codes of an authenticator (RFC 6238), and the recovery codes for when it is not at hand.

Each code works once. A phone's clock may be half a minute off.
"""

import logging
import secrets
import time
from base64 import b32encode
from hashlib import blake2b
from hmac import compare_digest

import sqlalchemy as sa
from pyotp import TOTP, random_base32

from taskapp.auth.models import RecoveryCode, SecondFactor
from taskapp.database.sealing import CannotOpen, seal, unseal
from taskapp.database.session import Row, now, read
from taskapp.extensions import db
from taskapp.schema import table

FACTORS = table(SecondFactor)
FACTOR = FACTORS.c
CODES = table(RecoveryCode)
CODE = CODES.c
ISSUER = "taskapp"
STEP = 30  # seconds (RFC 6238, section 4.1)
DIGITS = 6
STEPS_OFF = 1  # of a clock before or after ours (section 5.2)
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 random bits need no slow hash
GROUP = 4
log = logging.getLogger(__name__)


def factor_of(user_id: int) -> Row | None:
    """The second factor of a user, confirmed or not."""
    select = sa.select(FACTORS).where(FACTOR.user_id == user_id)
    factor: Row | None = db.session.execute(select).one_or_none()
    return factor


def is_on(user_id: int) -> bool:
    """Whether signing in asks for a code."""
    factor = factor_of(user_id)
    return factor is not None and factor.confirmed_at is not None


def set_up(user_id: int) -> str:
    """Store a new seed that asks for nothing yet; returns it."""
    seed = random_base32()
    remove(user_id)
    values = {"user_id": user_id, "sealed_seed": seal(seed), "last_step": 0, "created_at": now()}
    insert = sa.insert(FACTORS).values(values)
    db.session.execute(insert)
    return seed


def address_of(seed: str, email: str) -> str:
    """The `otpauth://` address that an authenticator reads."""
    return TOTP(seed, name=email, issuer=ISSUER).provisioning_uri()


def switch_on(user_id: int) -> None:
    """From now on signing in asks for a code."""
    update = sa.update(FACTORS).where(FACTOR.user_id == user_id)
    db.session.execute(update.values(confirmed_at=now()))


def remove(user_id: int) -> None:
    """Forget the seed and the recovery codes."""
    for rows in (FACTORS, CODES):
        delete = sa.delete(rows).where(rows.c.user_id == user_id)
        db.session.execute(delete)


def use(factor: Row, code: str) -> bool:
    """Whether a code is right and was not used before; now it is."""
    plain = "".join(code.split())
    if len(plain) == DIGITS:
        return _use_step(factor, plain)
    return _use_recovery_code(factor.user_id, plain)


def _use_step(factor: Row, code: str) -> bool:
    step = _step_of(factor.sealed_seed, code)
    if step is None:
        return False
    newest = _step_now() + STEPS_OFF
    # One that lies ahead of every code was used before our clock was put back.
    is_unused = sa.or_(FACTOR.last_step < step, FACTOR.last_step > newest)
    update = sa.update(FACTORS).where(FACTOR.user_id == factor.user_id, is_unused)
    update = update.values(last_step=step)
    result = db.session.execute(update.returning(FACTOR.user_id))
    return result.one_or_none() is not None


def _step_of(sealed_seed: str, code: str) -> int | None:
    """Which step the code belongs to, if it is about now."""
    try:
        authenticator = TOTP(unseal(sealed_seed), digits=DIGITS, interval=STEP)
    except CannotOpen:
        log.warning("a second factor was sealed with another SECRET_KEY")
        return None
    current = _step_now()
    matching = None
    for step in range(current - STEPS_OFF, current + STEPS_OFF + 1):
        expected = authenticator.generate_otp(step)
        if compare_digest(expected.encode(), code.encode()):
            matching = step
    return matching


def _step_now() -> int:
    return int(time.time()) // STEP


def renew_recovery_codes(user_id: int) -> list[str]:
    """Ten new ones in place of all others; only digests are kept."""
    of_user = CODE.user_id == user_id
    db.session.execute(sa.delete(CODES).where(of_user))
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    rows = [{"user_id": user_id, "digest": _digest(code)} for code in codes]
    db.session.execute(sa.insert(CODES), rows)
    return codes


def count_recovery_codes(user_id: int) -> int:
    """How many are left."""
    count = sa.select(sa.func.count()).select_from(CODES)
    unused = count.where(CODE.user_id == user_id, CODE.used_at.is_(None))
    return int(read(unused).scalar_one())


def _use_recovery_code(user_id: int, code: str) -> bool:
    unused = sa.update(CODES).where(CODE.user_id == user_id, CODE.used_at.is_(None))
    update = unused.where(CODE.digest == _digest(code))
    update = update.values(used_at=now())
    result = db.session.execute(update.returning(CODE.id))
    return result.one_or_none() is not None


def _new_recovery_code() -> str:
    """As in `k3xq-7hzm-2wpa-q6tn`: letters and digits that are not mistaken for each other."""
    text = b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()
    letters = text.lower()
    groups = [letters[start : start + GROUP] for start in range(0, len(letters), GROUP)]
    return "-".join(groups)


def _digest(code: str) -> str:
    plain = code.replace("-", "").casefold()
    digest = blake2b(plain.encode(), digest_size=32, person=b"taskapp-recover")
    return digest.hexdigest()
