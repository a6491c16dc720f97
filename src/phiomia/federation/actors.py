"""Documents of accounts, and of the server's own actor."""

from phiomia.domain.accounts.documents import ActorHead, ActorView, find_actor_head, load_actor
from phiomia.domain.accounts.instance_key import load_or_make_instance_key
from phiomia.domain.accounts.keys import load_or_make_keys
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.errors import NotAllowed, NotFound
from phiomia.domain.instance.emoji_documents import find_own_emoji
from phiomia.domain.statuses.tombstones import find_tombstone
from phiomia.federation.context import Federation
from phiomia.federation.documents import ids
from phiomia.federation.documents.actor import render_actor, render_instance_actor, render_key_holder
from phiomia.federation.documents.contexts import declare
from phiomia.federation.documents.rendered import Rendered, encode
from phiomia.federation.documents.tags import render_emoji
from phiomia.federation.responder import Ask, Gone
from phiomia.platform.db import ReadSession


async def give_actor(ask: Ask) -> None:
    """An account. In secure mode strangers get no more than it takes to check its signatures."""
    known = not ask.secure_mode or ask.signed
    if known:
        await ask.admit()
    async with ask.federation.db.read() as session:
        head = await find_account(session, ask.federation, ask.path["username"])
    ask.private = ask.secure_mode
    ask.answer(await _render(ask.federation, head) if known else await _render_key(ask.federation, head))


async def give_instance_actor(ask: Ask) -> None:
    """The server itself, for anybody."""
    ask.answer(await _instance_actor(ask.federation))


async def give_instance_outbox(ask: Ask) -> None:
    """What the server itself has said: nothing."""
    outbox = ids.outbox(ids.instance_actor(ask.federation.links))
    ask.answer_with({"id": outbox, "type": "OrderedCollection", "totalItems": 0, "orderedItems": []})


async def give_emoji(ask: Ask) -> None:
    """A custom emoji of ours."""
    await ask.admit()
    async with ask.federation.db.read() as session:
        emoji = await find_own_emoji(session, read_id(ask.path["emoji_id"]))
    if emoji is None:
        raise NotFound
    ask.answer_with(render_emoji(emoji, ask.federation.links))


async def find_account(session: ReadSession, federation: Federation, username: str) -> ActorHead:
    """The local account of that name, also a suspended one. Raises NotFound, Gone."""
    head = await find_actor_head(session, username)
    uri = ids.actor_named(federation.links, username)
    if head is not None and head.state_origin == StateOrigin.LEFT:
        raise Gone({"id": uri, "type": "Tombstone"})
    if head is None:
        if await find_tombstone(session, uri) is not None:
            raise Gone({"id": uri, "type": "Tombstone"})
        raise NotFound
    return head


async def find_active_account(ask: Ask, session: ReadSession) -> ActorHead:
    """The same, but for what a suspended account may not show. Raises NotFound, Gone, NotAllowed."""
    head = await find_account(session, ask.federation, ask.path["username"])
    if head.state == AccountState.SUSPENDED:
        raise NotAllowed
    return head


def read_id(text: str) -> int:
    """An id from an address. Raises NotFound for what can't be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) >= 2**63:
        raise NotFound
    return int(text)


async def _render(federation: Federation, head: ActorHead) -> Rendered:
    kept = federation.shelves.actors.find(head.id, head.rev, 0)
    if kept is not None:
        return kept
    view = await _load(federation, head)
    rendered = encode(declare(render_actor(view, federation.links)), view.account.rev)
    # The account that this one has moved to may be renamed without a word to this one's revision.
    return rendered if view.moved_to is not None else federation.shelves.actors.put(head.id, rendered)


async def _render_key(federation: Federation, head: ActorHead) -> Rendered:
    view = await _load(federation, head)
    return encode(declare(render_key_holder(view.account, view.public_key, federation.links)))


async def _load(federation: Federation, head: ActorHead) -> ActorView:
    await load_or_make_keys(federation.db, head.id)
    async with federation.db.read() as session:
        return await load_actor(session, head.id)


async def _instance_actor(federation: Federation) -> Rendered:
    kept = federation.shelves.answers.get("actor")
    if kept is None:
        keys = await load_or_make_instance_key(federation.db)
        kept = encode(declare(render_instance_actor(keys.public, federation.links)))
        federation.shelves.answers["actor"] = kept
    return kept
