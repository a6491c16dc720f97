"""What other servers sent lately, by hash: the same thing is taken once."""

from hashlib import blake2b

from phiomia.domain.peers.models import received
from phiomia.platform.clock import HOUR, now_ms
from phiomia.platform.db import P, Query, WriteSession

# A signature is believed for half a day after its date, and its date may lie half a day in the future.
KEPT_MS = 25 * HOUR
_TRIM_AT_ONCE = 5_000
_NOTE = Query(
    lambda insert: (
        insert(received).values(key=P("key"), received_at=P("now")).on_conflict_do_nothing(index_elements=["key"])
    )
)
_TRIM = Query.raw(
    sqlite="DELETE FROM received WHERE key IN (SELECT key FROM received WHERE received_at < :before LIMIT :limit)"
)


async def note_received(session: WriteSession, key: int) -> bool:
    """Remembers something; False if it was there before."""
    return await session.execute(_NOTE, key=key, now=now_ms()) > 0


def hash_of(*parts: str) -> int:
    """A number that stands for these words."""
    digest = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


async def trim_received(session: WriteSession) -> int:
    """Forgets the oldest, some at a time; gives their number."""
    return await session.execute(_TRIM, before=now_ms() - KEPT_MS, limit=_TRIM_AT_ONCE)
