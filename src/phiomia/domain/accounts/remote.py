"""Accounts of other servers, as the exchange with these servers needs them."""

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.platform.db import P, Query, ReadSession


class Actor(msgspec.Struct, frozen=True):
    """Somebody on another server: where they are reached, and the keys they sign with."""

    id: int
    rev: int
    username: str
    domain: str
    uri: str
    url: str
    actor_type: str
    state: int
    locked: bool
    inbox_url: str
    shared_inbox_url: str
    followers_url: str
    following_url: str
    outbox_url: str
    featured_url: str
    featured_tags_url: str
    also_known_as: str
    moved_to_id: int | None
    key_id: str
    public_key: str
    more_keys: str
    fetched_at: int | None
    key_fetched_at: int | None
    collections_url: str

    @property
    def acct(self) -> str:
        """The handle with its domain."""
        return f"{self.username}@{self.domain}"

    @property
    def suspended(self) -> bool:
        """Whether nothing of theirs is taken or shown."""
        return self.state == AccountState.SUSPENDED


_ACTOR = select(*[accounts.c[name] for name in Actor.__struct_fields__]).where(accounts.c.domain != "")
_BY_URI = Query(_ACTOR.where(accounts.c.uri == P("uri", str), accounts.c.uri != ""))
_IS_KNOWN = Query(select(accounts.c.id).where(accounts.c.uri == P("uri", str), accounts.c.uri != ""))
_BY_ID = Query(_ACTOR.where(accounts.c.id == P("id")))
_BY_HANDLE = Query(_ACTOR.where(accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str)))
_BY_KEY = Query(_ACTOR.where(accounts.c.key_id == P("key_id", str), accounts.c.key_id != ""))


async def find_actor(session: ReadSession, uri: str) -> Actor | None:
    """The account of another server with that id, if it is known."""
    return await session.view(Actor, _BY_URI, uri=uri)


async def is_actor_known(session: ReadSession, uri: str) -> bool:
    """Whether any account has that id."""
    return await session.value(_IS_KNOWN, uri=uri) is not None


async def load_actor(session: ReadSession, account_id: int) -> Actor | None:
    """The account of another server with that number here."""
    return await session.view(Actor, _BY_ID, id=account_id)


async def find_actor_by_handle(session: ReadSession, username: str, domain: str) -> Actor | None:
    """The account of another server with that handle, if it is known."""
    return await session.view(Actor, _BY_HANDLE, username=username.lower(), domain=domain.lower())


async def list_actors_with_key(session: ReadSession, key_id: str) -> list[Actor]:
    """The accounts of other servers whose first key has that id."""
    return await session.views(Actor, _BY_KEY, key_id=key_id)
