"""Local accounts as their ActivityPub documents show them."""

from typing import NamedTuple

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.instance.emoji_documents import EmojiDetail, load_own_emojis
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.json import decode_strings


class ActorHead(NamedTuple):
    """What has to be known of a local account before anything of it is given away."""

    id: int
    rev: int
    username: str
    state: int
    state_origin: int
    hide_collections: bool | None
    followers_count: int
    following_count: int
    statuses_count: int


class ActorView(msgspec.Struct, frozen=True):
    """An account with what its document shows beyond the entity. `public_key` is empty until there is one."""

    account: AccountView
    public_key: str
    also_known_as: list[str]
    moved_to: AccountView | None
    emojis: list[EmojiDetail]


_HEAD = Query(
    select(*[accounts.c[name] for name in ActorHead._fields]).where(
        accounts.c.username_key == P("username", str), accounts.c.domain == ""
    )
)
_MORE = Query(
    select(accounts.c.public_key, accounts.c.also_known_as).where(accounts.c.id == P("id"), accounts.c.domain == "")
)


async def find_actor_head(session: ReadSession, username: str) -> ActorHead | None:
    """The local account of that name, in whatever case."""
    return await session.view(ActorHead, _HEAD, username=username.lower())


async def load_actor(session: ReadSession, account_id: int) -> ActorView:
    """All that the document of a local account shows. Raises NotFound."""
    more = await session.one(_MORE, id=account_id)
    if more is None:
        raise NotFound
    found = await load_accounts(session, [account_id])
    if account_id not in found:
        raise NotFound
    account = found[account_id]
    moved_to = account.moved_to_id
    target = (await load_accounts(session, [moved_to])).get(moved_to) if moved_to is not None else None
    names = decode_strings(account.emojis)
    emojis = await load_own_emojis(session, names)
    return ActorView(
        account=account,
        public_key=more[0],
        also_known_as=decode_strings(more[1]),
        moved_to=target,
        emojis=[emojis[name] for name in names if name in emojis],
    )
