"""E-mail addresses: which ones we take, and giving somebody another."""

import re
from typing import Final

from sqlalchemy import select, update

from phiomia.domain.errors import Invalid
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession, WriteSession

_LONGEST: Final = 254
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# What every mail server takes. Quoted local parts exist on paper; domains in other scripts have an ASCII form.
_PATTERN: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")

_TAKEN = Query(select(users.c.id).where(users.c.email_key == P("key", str)))
_CHANGE = Query(update(users).values(email=P("email", str), email_key=P("key", str)).where(users.c.id == P("user")))


def key_of(email: str) -> str:
    """What addresses are compared by."""
    return email.strip().lower()


def find_email_fault(email: str) -> tuple[str, str] | None:
    """What is wrong with an address, as (code, words); None when nothing is."""
    if not email:
        return ("ERR_BLANK", "can't be empty")
    if len(email) > _LONGEST:
        return ("ERR_TOO_LONG", f"may have {_LONGEST} characters at most")
    if not _PATTERN.fullmatch(email):
        return ("ERR_INVALID", "is not an e-mail address")
    return None


async def is_email_taken(session: ReadSession, email: str) -> bool:
    """Whether somebody has that address already."""
    return await session.value(_TAKEN, key=key_of(email)) is not None


async def change_email(session: WriteSession, user_id: int, email: str) -> None:
    """Gives somebody another address. Raises Invalid."""
    await check_email(session, user_id, email)
    await session.execute(_CHANGE, user=user_id, email=email, key=key_of(email))


async def check_email(session: ReadSession, user_id: int, email: str) -> None:
    """Raises Invalid when somebody can't have the address."""
    fault = find_email_fault(email)
    holder = await session.value(_TAKEN, key=key_of(email))
    if fault is None and holder is not None and holder != user_id:
        fault = ("ERR_TAKEN", "is in use already")
    if fault is not None:
        raise Invalid(f"Validation failed: E-mail {fault[1]}", {"email": [fault]})
