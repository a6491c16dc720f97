"""Hashes of passwords that take no time, for tests within the process whose subject they are not.

One of today's cost is a third of what a test of the pages takes, and such a test makes several.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

from argon2 import PasswordHasher

from phiomia.domain.users import passwords

_dear = passwords._hasher


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """Passwords are hashed at the lowest cost there is."""
    with patch.object(passwords, "_hasher", _cheap), patch.object(passwords, "_decoy", _cheap_decoy):
        yield


@contextmanager
def dear_hashes() -> Iterator[None]:
    """They are hashed as on a server again, whoever asked for cheap ones."""
    with patch.object(passwords, "_hasher", _dear):
        yield


@cache
def _cheap() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def _cheap_decoy() -> str:
    return _cheap().hash("of nobody")
