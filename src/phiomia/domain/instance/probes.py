"""Who tries the server out while it is upgraded: a program with a secret that is good for as long as it asks.

The upgrade writes the row before it begins and removes it in the end, so at other times there is nobody to be.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import select, update

from phiomia.domain.instance.models import upgrade_probes
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession

# What the secret begins with, so that no other token has to be looked for here.
PROBE_BEARER: Final = "upgrade-probe-"
# Where its actor lives; there is no document.
PROBE_ACTOR: Final = "/upgrade-probe/"
# No account has this id.
PROBE_ACCOUNT: Final = 0
PROBE_EVENT: Final = "probe"


class Probe(NamedTuple):
    """Somebody who may try the server out, and the key that signs for them."""

    id: str
    public_key: str


_good = upgrade_probes.c.expires_at > P("now")
_COLUMNS = (upgrade_probes.c.id, upgrade_probes.c.public_key)
_BY_SECRET = Query(select(*_COLUMNS).where(upgrade_probes.c.secret_hash == P("secret_hash", str), _good))
_BY_ID = Query(select(*_COLUMNS).where(upgrade_probes.c.id == P("id", str), _good))
_WRITES = Query(
    update(upgrade_probes).where(upgrade_probes.c.id == P("id", str)).values(writes=upgrade_probes.c.writes + 1)
)
_LETTERS = Query(
    update(upgrade_probes).where(upgrade_probes.c.id == P("id", str)).values(letters=upgrade_probes.c.letters + 1)
)
_TAKEN = Query(
    update(upgrade_probes).where(upgrade_probes.c.id == P("id", str)).values(taken=upgrade_probes.c.taken + 1)
)


async def find_probe_by_secret(session: ReadSession, secret: str) -> Probe | None:
    """Who has this secret now; None mostly."""
    if not secret.startswith(PROBE_BEARER):
        return None
    hashed = sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
    return await session.view(Probe, _BY_SECRET, secret_hash=hashed, now=now_ms())


async def find_probe(session: ReadSession, probe_id: str) -> Probe | None:
    """Who has this name now; None mostly."""
    return await session.view(Probe, _BY_ID, id=probe_id, now=now_ms())


async def count_write(session: WriteSession, probe_id: str) -> None:
    """Notes that something was written for them."""
    await session.execute(_WRITES, id=probe_id)


async def count_letter(session: WriteSession, probe_id: str) -> None:
    """Notes that something of theirs was accepted."""
    await session.execute(_LETTERS, id=probe_id)


async def count_taken(session: WriteSession, probe_id: str) -> None:
    """Notes that a worker has had what was accepted."""
    await session.execute(_TAKEN, id=probe_id)
