"""Writes what is known of an account of another server: a new one, or what has changed."""

from typing import Any, Final

import msgspec
from sqlalchemy import select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.accounts.views import AccountField
from phiomia.domain.instance.remote_emojis import EmojiDraft, keep_emojis
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.json import decode_strings, encode


class FurtherKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of an actor beside its first one: as PEM, or as a multibase text."""

    id: str
    pem: str = ""
    multibase: str = ""


class RemoteProfile(msgspec.Struct, frozen=True):
    """An account as its server describes it, with the handle that was confirmed; HTML is sanitised."""

    uri: str
    username: str
    domain: str
    inbox_url: str
    url: str = ""
    actor_type: str = "Person"
    display_name: str = ""
    note: str = ""
    fields: list[AccountField] = []
    avatar_remote_url: str = ""
    avatar_description: str = ""
    header_remote_url: str = ""
    header_description: str = ""
    emojis: list[str] = []
    attribution_domains: list[str] = []
    locked: bool = False
    bot: bool = False
    is_group: bool = False
    discoverable: bool | None = None
    indexable: bool = False
    memorial: bool = False
    key_id: str = ""
    public_key: str = ""
    more_keys: list[FurtherKey] = []
    shared_inbox_url: str = ""
    followers_url: str = ""
    following_url: str = ""
    outbox_url: str = ""
    featured_url: str = ""
    featured_tags_url: str = ""
    collections_url: str = ""
    feature_policy: int = 0
    show_media: bool = True
    show_media_replies: bool = True
    show_featured: bool = True
    also_known_as: list[str] = []


class Circumstances(msgspec.Struct, frozen=True):
    """What comes along with a profile: its emoji, when it was made, and what its server has decided about it."""

    emojis: list[EmojiDraft] = []
    created_at: int | None = None
    suspended: bool = False
    silenced: bool = False
    moved_to: str = ""


_PROFILE: Final = RemoteProfile.__struct_fields__
_LISTS: Final = ("fields", "emojis", "attribution_domains", "more_keys", "also_known_as")
_SHARED: Final = (*_PROFILE, "username_key", "state", "state_origin", "moved_to_id", "fetched_at", "key_fetched_at")
_INSERT = insert_into(accounts, "id", *_SHARED, "created_at")
_UPDATE = Query(
    update(accounts)
    .where(accounts.c.id == P("of_id"), accounts.c.domain != "")
    .values({name: column_parameter(accounts, name, f"new_{name}") for name in _SHARED})
)
_KNOWN = select(
    accounts.c.id, accounts.c.state, accounts.c.state_origin, accounts.c.moved_to_id, accounts.c.indexable
).with_for_update()
_BY_URI = Query(_KNOWN.where(accounts.c.uri == P("uri", str), accounts.c.uri != "", accounts.c.domain != ""))
_BY_HANDLE = Query(_KNOWN.where(accounts.c.username_key == P("key", str), accounts.c.domain == P("domain", str)))
_MAKE_ROOM = Query(
    update(accounts).where(accounts.c.id == P("of_id")).values(username_key=P("key", str), username=P("name", str))
)
_TARGET = Query(
    select(accounts.c.id, accounts.c.also_known_as).where(accounts.c.uri == P("uri", str), accounts.c.uri != "")
)


async def store_remote_account(session: WriteSession, profile: RemoteProfile, more: Circumstances) -> int:
    """Writes the account and gives its id.

    The handle has been confirmed by its server, so whoever had it before under another id is this account, or, if
    both are known, has it no more.
    """
    key = profile.username.lower()
    known = await session.one(_BY_URI, uri=profile.uri)
    holder = await session.one(_BY_HANDLE, key=key, domain=profile.domain)
    if known is not None and holder is not None and known[0] != holder[0]:
        left = f"{key}~{holder[0]}"
        await session.execute(_MAKE_ROOM, of_id=holder[0], key=left, name=left)
    known = known or holder
    now = now_ms()
    state, origin = _decide(known, more)
    values: dict[str, Any] = {name: _column(profile, name) for name in _PROFILE}
    values |= {
        "username_key": key,
        "state": state,
        "state_origin": origin,
        "moved_to_id": await _find_target(session, profile.uri, more.moved_to),
        "fetched_at": now,
        "key_fetched_at": now,
    }
    if known is None:
        account_id = new_id()
        await session.execute(_INSERT, id=account_id, created_at=more.created_at or now, **values)
    else:
        account_id = known[0]
        await session.execute(_UPDATE, of_id=account_id, **{f"new_{name}": value for name, value in values.items()})
    await keep_emojis(session, profile.domain, more.emojis)
    changed = known is not None and bool(known[4]) != profile.indexable
    await record(session, AccountUpdated(account_id, changed))
    return account_id


def _decide(known: Any, more: Circumstances) -> tuple[int, int]:
    state, origin = (known[1], known[2]) if known is not None else (AccountState.ACTIVE, StateOrigin.MODERATION)
    if more.suspended:
        # What our moderators have decided stays theirs to take back.
        by_us = state == AccountState.SUSPENDED and origin != StateOrigin.REMOTE
        return (state, origin) if by_us else (AccountState.SUSPENDED, StateOrigin.REMOTE)
    if origin == StateOrigin.REMOTE:
        state, origin = AccountState.ACTIVE, StateOrigin.MODERATION
    if more.silenced and state == AccountState.ACTIVE:
        return AccountState.LIMITED, StateOrigin.DOMAIN
    return state, origin


async def _find_target(session: WriteSession, uri: str, moved_to: str) -> int | None:
    """Where the account has gone, if the new one says to be the old."""
    row = await session.one(_TARGET, uri=moved_to) if moved_to and moved_to != uri else None
    return row[0] if row is not None and uri in decode_strings(row[1]) else None


def _column(profile: RemoteProfile, name: str) -> Any:
    value = getattr(profile, name)
    return encode(value) if name in _LISTS else value
