"""What an upgrade sends to an inbox to find out whether other servers are heard meanwhile.

Its actor has no document: its key lies in the database, for as long as the upgrade asks. All else is as with everybody:
the signature is checked, what was accepted is a job, and a worker takes that.
"""

import time
from typing import NamedTuple
from urllib.parse import urlsplit

from phiomia.activitypub.signatures.keys import PublicKey, load_public
from phiomia.activitypub.signatures.request import Request
from phiomia.activitypub.signatures.verify import hold, read
from phiomia.domain.instance.probes import PROBE_ACTOR, count_letter, count_taken, find_probe
from phiomia.domain.peers.received import hash_of, note_received
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs import Job, defer


class TakeProbe(Job, frozen=True):
    """Notes that a worker has had what an upgrade sent."""

    TYPE = "federation.take_probe"
    QUEUE = "ingress"
    TRIES = 3

    probe: str


class _OneKey(NamedTuple):
    id: str
    key: PublicKey

    async def __call__(self, key_id: str, *, fresh: bool) -> PublicKey | None:
        return self.key if key_id == self.id else None


async def accept_probe(db: Database, request: Request, actor: str) -> bool:
    """Whether this came from an upgrade that is under way; it is accepted then. Raises SignatureRefused."""
    path = urlsplit(actor).path
    if not path.startswith(PROBE_ACTOR):
        return False
    async with db.read() as session:
        probe = await find_probe(session, path.removeprefix(PROBE_ACTOR))
    if probe is None:
        return False
    claim = read(request, now=time.time())
    await hold(claim, _OneKey(f"{actor}#main-key", load_public(probe.public_key)))
    mark = hash_of(actor, claim.signature.hex())

    async def write(session: WriteSession) -> None:
        if await note_received(session, mark):
            await count_letter(session, probe.id)
            await defer(session, TakeProbe(probe.id))

    await db.write(write)
    return True


async def take_probe(context: object, job: TakeProbe) -> None:
    """Handler of TakeProbe."""
    db: Database = context.db  # type: ignore[attr-defined]
    await db.write(lambda session: count_taken(session, job.probe))
