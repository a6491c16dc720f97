"""The key pair with which a local account signs what it sends.

RSA of 2,048 bits is what every peer understands. Finding the primes takes up to a second of CPU, so it is
done in a thread, outside any transaction, and never while somebody waits for their sign-up.
"""

import asyncio
from typing import NamedTuple

from sqlalchemy import select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.context import HasDatabase


class KeyPair(NamedTuple):
    """Both keys as PEM."""

    private: str
    public: str


class MakeKeys(Job, frozen=True):
    """Make the keys of a local account that has none."""

    TYPE = "accounts.make_keys"
    QUEUE = "local"

    account_id: int


_KEYS = Query(
    select(accounts.c.private_key, accounts.c.public_key).where(accounts.c.id == P("id"), accounts.c.domain == "")
)
_STORE = Query(
    update(accounts)
    .values(private_key=P("private", str), public_key=P("public", str))
    .where(accounts.c.id == P("id"), accounts.c.domain == "", accounts.c.private_key == "")
)


async def make_keys(context: HasDatabase, job: MakeKeys) -> None:
    """Handler of MakeKeys."""
    try:
        await load_or_make_keys(context.db, job.account_id)
    except NotFound:
        return  # deleted in the meantime


async def load_or_make_keys(db: Database, account_id: int) -> KeyPair:
    """The keys of a local account, made now if it has none. Raises NotFound."""
    async with db.read() as session:
        known = await _load_keys(session, account_id)
    if known is not None:
        return known
    made = await asyncio.to_thread(generate_key_pair)

    async def store(session: WriteSession) -> KeyPair | None:
        # Another process may have been faster: whichever pair was stored first is the account's.
        await session.execute(_STORE, id=account_id, private=made.private, public=made.public)
        return await _load_keys(session, account_id)

    stored = await db.write(store)
    if stored is None:
        raise NotFound
    return stored


async def _load_keys(session: ReadSession, account_id: int) -> KeyPair | None:
    row = await session.one(_KEYS, id=account_id)
    if row is None:
        raise NotFound
    return KeyPair(row[0], row[1]) if row[0] else None


def generate_key_pair() -> KeyPair:
    """A fresh pair; takes long, call it in a thread."""
    from cryptography.hazmat.primitives import serialization  # 15 ms and 10 MB that most processes never need
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())
