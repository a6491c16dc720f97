"""Who asks during an upgrade, as the database knows them: from before the first try to after the last.

Nobody else can be them: secret and key are made here and given to nobody, and are good for as long as somebody asks.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple, Protocol

from phiomia.upgrade.database import Connection

TABLE = "upgrade_probes"
# Longer than anything keeps us from renewing it.
GOOD_S = 900.0
_JOB = "federation.take_probe"

_ADD = f"INSERT INTO {TABLE} (id, secret_hash, public_key, expires_at) VALUES (?, ?, ?, ?)"  # noqa: S608 (our table)
_RENEW = f"UPDATE {TABLE} SET expires_at = ? WHERE id = ?"  # noqa: S608
_ARRIVED = f"SELECT writes, letters, taken FROM {TABLE} WHERE id = ?"  # noqa: S608
_WAITING = "SELECT count(*) FROM jobs WHERE type = ? AND args LIKE ?"
_FORGET = f"DELETE FROM {TABLE} WHERE id = ? OR expires_at < ?"  # noqa: S608
_FORGET_JOBS = "DELETE FROM jobs WHERE type = ? AND claimed_by = ''"
_OLDEST = "SELECT min(run_at) FROM jobs WHERE run_at <= ?"


class Signing(Protocol):
    """How letters are signed."""

    def make_keys(self) -> tuple[str, str]:
        """A private key and its public one, as PEM."""

    def sign(self, url: str, key_id: str, private_key: str, body: bytes) -> dict[str, str]:
        """The headers that make a POST to that address a signed one."""


@dataclass(frozen=True)
class Identity:
    """Who asks."""

    id: str
    secret: str = field(repr=False)
    private_key: str = field(repr=False)
    public_key: str

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks."""
        return {"Authorization": f"Bearer {self.secret}"}


class Arrived(NamedTuple):
    """What the server has of us; `waiting` is what workers have not come to yet."""

    writes: int
    letters: int
    taken: int
    waiting: int


def make_identity(make_keys: Callable[[], tuple[str, str]]) -> Identity:
    """Somebody new."""
    private, public = make_keys()
    return Identity(secrets.token_hex(8), f"upgrade-probe-{secrets.token_urlsafe(32)}", private, public)


def enrol(connection: Connection, identity: Identity) -> bool:
    """Lets the server know of them; False where the schema has no place for that yet."""
    if not connection.has_table(TABLE):
        return False
    hashed = sha256(identity.secret.encode()).hexdigest()
    connection.rows(_ADD, identity.id, hashed, identity.public_key, _until())
    return True


def renew(connection: Connection, identity: Identity) -> None:
    """Lets them be good for longer."""
    connection.rows(_RENEW, _until(), identity.id)


def look_up(connection: Connection, identity: Identity) -> Arrived:
    """What the server has of them."""
    # In this order: what is taken in between must not be missing in both.
    waiting = int(connection.rows(_WAITING, _JOB, f"%{identity.id}%")[0][0])
    found = connection.rows(_ARRIVED, identity.id)
    writes, letters, taken = map(int, found[0]) if found else (0, 0, 0)
    return Arrived(writes, letters, taken, waiting)


def strike_off(connection: Connection, identity: Identity) -> None:
    """Forgets them, those whose time is over, and what of theirs no worker will take."""
    connection.rows(_FORGET, identity.id, int(time.time() * 1000))
    connection.rows(_FORGET_JOBS, _JOB)


def oldest_job(connection: Connection) -> float:
    """For how many seconds the oldest job waits that could be done."""
    now = int(time.time() * 1000)
    found = connection.rows(_OLDEST, now)[0][0]
    return round((now - int(found)) / 1000, 1) if found is not None else 0.0


def _until() -> int:
    return int((time.time() + GOOD_S) * 1000)
