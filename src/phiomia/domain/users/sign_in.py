"""Judges who wants to sign in."""

from typing import Final, Literal

from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import Invalid, Limited, NotAllowed
from phiomia.domain.users.emails import key_of
from phiomia.domain.users.passwords import hash_password, verify_password
from phiomia.domain.users.queries import Credentials, find_credentials
from phiomia.domain.users.reset_password import store_password
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database
from phiomia.platform.rates import Allowance, Rates
from phiomia.platform.settings import RateLimits

# Addresses are guarded by themselves, since whoever guesses has many networks.
PER_EMAIL: Final = (25, 3600)
MAILS_PER_EMAIL: Final = (5, 1800)


class Unconfirmed(NotAllowed):
    """The password was right, but the e-mail address is not confirmed yet."""


class Unapproved(NotAllowed):
    """The password was right, but nobody has approved the sign-up yet."""


def count_sign_in(rates: Rates, rules: RateLimits, address: str, email: str) -> None:
    """Counts an attempt. Raises Limited when there were too many from that network or for that address."""
    if rules.enabled:
        _refuse(rates.count("sign_in", address, *rules.sign_in))
        _refuse(rates.count("sign_in_email", key_of(email), *PER_EMAIL))


def count_mail(
    rates: Rates, rules: RateLimits, address: str, email: str, *, about: Literal["confirmation", "password"]
) -> None:
    """Counts a request for a mail; each kind by itself. Raises Limited."""
    if rules.enabled:
        _refuse(rates.count(f"mail_{about}", address, *rules.sign_in))
        _refuse(rates.count(f"mail_{about}_email", key_of(email), *MAILS_PER_EMAIL))


async def authenticate(db: Database, email: str, password: str) -> int:
    """The user whom address and password belong to.

    Raises Invalid when they don't fit, in the same time and words whether or not the address is known;
    NotAllowed when they do but the login is frozen; Unconfirmed, Unapproved.
    """
    async with db.read() as session:
        found = await find_credentials(session, email)
    verdict = await verify_password(found.password_hash if found else None, password)
    if found is None or not verdict.right:
        raise Invalid("The e-mail address or the password is wrong.")
    _check_standing(found)
    if verdict.outdated:
        hashed, user_id = await hash_password(password), found.user_id
        await db.write(lambda session: store_password(session, user_id, hashed))
    return found.user_id


def _check_standing(found: Credentials) -> None:
    if found.disabled or found.state == AccountState.SUSPENDED:
        raise NotAllowed("This login is disabled. Write to those who run the server if you think that is a mistake.")
    if not found.confirmed:
        raise Unconfirmed("Confirm your e-mail address first: follow the link in the mail we sent you.")
    if not found.approved:
        raise Unapproved("Your sign-up waits for approval. You will get a mail.")


def _refuse(allowance: Allowance) -> None:
    if allowance.exceeded:
        raise Limited(
            "Too many attempts. Wait some minutes, then try again.",
            retry_after=max(1, allowance.reset - now_ms() // 1000),
        )
