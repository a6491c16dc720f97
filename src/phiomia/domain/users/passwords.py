"""Passwords: argon2id in two threads of its own: a burst of sign-ins shall not take the memory nor the event loop."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from phiomia.domain.errors import Invalid
from phiomia.platform.limits import PASSWORD_MAX, PASSWORD_MIN
from phiomia.platform.random_text import make_random_text

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_AT_ONCE = 2
_MEMORY_KIB = 19 * 1024
_pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="password")


class Verdict(NamedTuple):
    """Whether the password was right, and whether its hash should be made anew with today's cost."""

    right: bool
    outdated: bool = False


def find_password_fault(password: str) -> tuple[str, str] | None:
    """What is wrong with a new password, as (code, words); None when nothing is."""
    if not password:
        return ("ERR_BLANK", "can't be empty")
    if len(password) < PASSWORD_MIN:
        return ("ERR_TOO_SHORT", f"must have {PASSWORD_MIN} characters at least")
    if len(password) > PASSWORD_MAX:
        return ("ERR_TOO_LONG", f"may have {PASSWORD_MAX} characters at most")
    return None


def check_password(password: str) -> None:
    """Raises Invalid for a password that nobody may have."""
    fault = find_password_fault(password)
    if fault is not None:
        raise Invalid(f"Validation failed: Password {fault[1]}", {"password": [fault]})


async def hash_password(password: str) -> str:
    """What is stored of a password. Not within a transaction: it takes 30 ms."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _hash, password)


async def verify_password(stored: str | None, password: str) -> Verdict:
    """Whether the password fits. `None` stands for a person who does not exist and takes as long as any other."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _verify, stored, password)


def make_password() -> str:
    """A password for somebody who did not choose one."""
    return make_random_text(18)


def _hash(password: str) -> str:
    return _hasher().hash(password)


def _verify(stored: str | None, password: str) -> Verdict:
    from argon2.exceptions import InvalidHashError, VerificationError

    decoy = _decoy()
    # Beyond any password that could have been set: not worth hashing.
    password = password[: PASSWORD_MAX + 1]
    try:
        _hasher().verify(stored or decoy, password)
    except (VerificationError, InvalidHashError):
        return Verdict(False)
    return Verdict(bool(stored), _hasher().check_needs_rehash(stored or decoy))


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # only those who sign somebody in need it

    return PasswordHasher(time_cost=2, memory_cost=_MEMORY_KIB, parallelism=1)


@lru_cache(maxsize=1)
def _decoy() -> str:
    return _hasher().hash(secrets.token_urlsafe())
