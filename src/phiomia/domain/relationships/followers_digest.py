"""The followers of an account on one server, and the digest that both sides compare (FEP-8fcf)."""

from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.models import follows
from phiomia.platform.db import P, Query, ReadSession

_FOLLOWERS = Query(
    select(accounts.c.uri)
    .select_from(follows.join(accounts, accounts.c.id == follows.c.account_id))
    .where(follows.c.target_id == P("account"), accounts.c.domain != "", accounts.c.uri.startswith(P("prefix", str)))
    .order_by(accounts.c.uri)
)
_LOCAL_FOLLOWERS = Query(
    select(accounts.c.id, accounts.c.username)
    .select_from(follows.join(accounts, accounts.c.id == follows.c.account_id))
    .where(follows.c.target_id == P("account"), accounts.c.domain == "")
    .order_by(accounts.c.username)
)


async def list_followers_on(session: ReadSession, account_id: int, origin: str) -> list[str]:
    """The ids of the followers who live at `origin`, a scheme and a host."""
    found = await session.column(_FOLLOWERS, account=account_id, prefix=f"{origin}/")
    return [uri for uri in found if uri.startswith(f"{origin}/")]


async def list_local_followers(session: ReadSession, account_id: int) -> list[tuple[int, str]]:
    """(id, user name) of the members who follow an account."""
    return [(row[0], row[1]) for row in await session.all(_LOCAL_FOLLOWERS, account=account_id)]


def digest_of(uris: Iterable[str]) -> str:
    """The XOR of the hashes of all ids, in hexadecimal; 64 zeros for nobody."""
    total = 0
    for uri in uris:
        total ^= int.from_bytes(sha256(uri.encode()).digest())
    return f"{total:064x}"
