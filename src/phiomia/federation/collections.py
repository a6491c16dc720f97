"""Collections: what an account has said, pinned and whom it follows; what answers a status; whole conversations.

A collection says how many there are and where its first page is; a page says where the next one is. Pages go by ids,
not by numbers, so that nothing is shown twice or left out when something comes in between.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from phiomia.domain.accounts.documents import ActorHead
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotAllowed, NotFound
from phiomia.domain.relationships.collections import (
    Person,
    list_follower_references,
    list_following_references,
)
from phiomia.domain.relationships.followers_digest import list_followers_on
from phiomia.domain.statuses.collections import find_status_head, list_answers, list_conversation
from phiomia.domain.statuses.documents import NoteView, StatusReference, load_documents
from phiomia.domain.statuses.featured_tags import list_featured_tags
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.timelines.account import load_account_statuses
from phiomia.federation.actors import find_active_account, read_id
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.contexts import bare
from phiomia.federation.documents.note import render_note
from phiomia.federation.documents.tags import render_hashtag
from phiomia.federation.responder import Ask
from phiomia.federation.statuses import find_wanted
from phiomia.platform.db import ReadSession
from phiomia.platform.limits import PINNED_STATUSES
from phiomia.platform.paging import Page

_IDS_ON_PAGE: Final = 60
_ACTIVITIES_ON_PAGE: Final = 20

ListPeople = Callable[[ReadSession, int, Page], Awaitable[list[Person]]]


async def give_outbox(ask: Ask) -> None:
    """What an account has said to everybody, the newest first."""
    await ask.admit()
    page = _read_page(ask, _ACTIVITIES_ON_PAGE)
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
        outbox = ids.outbox(_actor(ask, head))
        if page is None:
            ask.answer_with(
                _collection(outbox, head.statuses_count)
                | {"first": f"{outbox}?page=true", "last": f"{outbox}?min_id=0&page=true"}
            )
            return
        rows = await load_account_statuses(session, None, head.id, page)
        items = await _render_activities(ask, session, rows)
    ask.answer_with(_page(outbox, page, [row.cursor for row in rows], items))


async def give_followers(ask: Ask) -> None:
    """Who follows an account, unless it keeps that to itself."""
    await _give_people(ask, "followers", list_follower_references)


async def give_following(ask: Ask) -> None:
    """Whom an account follows, unless it keeps that to itself."""
    await _give_people(ask, "following", list_following_references)


async def give_featured(ask: Ask) -> None:
    """What an account has pinned."""
    await ask.admit()
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
        rows = await load_account_statuses(session, None, head.id, Page(limit=PINNED_STATUSES), pinned=True)
        views = await load_documents(session, [row.id for row in rows])
    notes = [views[row.id] for row in rows if row.id in views]
    items = [render_note(view, ask.federation.links) for view in notes if isinstance(view, NoteView)]
    ask.answer_with(_collection(ids.featured(_actor(ask, head)), len(items)) | {"orderedItems": items})


async def give_featured_tags(ask: Ask) -> None:
    """Hashtags that an account shows on its profile."""
    await ask.admit()
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
        views = await list_featured_tags(session, head.id)
    items = [render_hashtag(view.key, view.name, ask.federation.links) for view in views]
    uri = ids.featured_tags(_actor(ask, head))
    ask.answer_with({"id": uri, "type": "Collection", "totalItems": len(items), "items": items})


async def give_followers_of_asker(ask: Ask) -> None:
    """Those followers of an account that live where the asker does, so that both sides can agree on them."""
    ask.private = True
    origin = (await ask.find_asker()).origin
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
    found = await ask.federation.db.scan(lambda session: list_followers_on(session, head.id, origin))
    uri = f"{_actor(ask, head)}/followers_synchronization"
    ask.answer_with({"id": uri, "type": "OrderedCollection", "orderedItems": found})


async def give_replies(ask: Ask) -> None:
    """What answers a status: the author's own answers first, then those of others."""
    head = (await find_wanted(ask)).head
    federation = ask.federation
    replies = f"{federation.links.status_uri(head.username, head.id)}/replies"
    others = ask.req.get_param("only_other_accounts") == "true"
    after = _read_after(ask)
    async with federation.db.read() as session:
        found = await list_answers(session, head.id, head.account_id, after, _IDS_ON_PAGE, own=not others)
    page = _ids_page(ask, replies, found, {"only_other_accounts": "true"} if others else {})
    if not others and "next" not in page:
        page["next"] = f"{replies}?only_other_accounts=true&page=true"
    if ask.req.get_param("page") == "true":
        ask.answer_with({"id": _with(replies, _own_query(ask)), **page})
    else:
        ask.answer_with({"id": replies, "type": "Collection", "first": page})


async def give_likes(ask: Ask) -> None:
    """How many have favourited a status; not who."""
    await _give_count(ask, "likes")


async def give_shares(ask: Ask) -> None:
    """How many have boosted a status; not who."""
    await _give_count(ask, "shares")


async def give_context(ask: Ask) -> None:
    """All of a conversation that began here and is for everybody."""
    await ask.admit()
    federation = ask.federation
    conversation_id, after = read_id(ask.path["conversation_id"]), _read_after(ask)
    async with federation.db.read() as session:
        root = await find_status_head(session, conversation_id)
        if root is None or not root.local or root.reblog_of_id is not None or root.visibility > Visibility.UNLISTED:
            raise NotFound
        if root.account_state == AccountState.SUSPENDED:
            raise NotFound
        found = await list_conversation(session, conversation_id, after, _IDS_ON_PAGE)
    context = ids.context(federation.links, conversation_id)
    page = _ids_page(ask, context, found, {})
    if ask.req.get_param("page") == "true":
        ask.answer_with({"id": _with(context, _own_query(ask)), **page})
        return
    author = ids.actor_named(federation.links, root.username)
    ask.answer_with({"id": context, "type": "Collection", "attributedTo": author, "first": page})


async def _give_people(ask: Ask, name: str, list_people: ListPeople) -> None:
    await ask.admit()
    page = _read_page(ask, _IDS_ON_PAGE)
    async with ask.federation.db.read() as session:
        head = await find_active_account(ask, session)
        uri = f"{_actor(ask, head)}/{name}"
        if page is None:
            total = head.followers_count if name == "followers" else head.following_count
            first = {} if head.hide_collections else {"first": f"{uri}?page=true"}
            ask.answer_with(_collection(uri, total) | first)
            return
        if head.hide_collections:
            raise NotAllowed
        people = await list_people(session, head.id, page)
    items = [ids.actor_named(ask.federation.links, one.username, one.uri) for one in people]
    ask.answer_with(_page(uri, page, [one.cursor for one in people], items))


async def _give_count(ask: Ask, name: str) -> None:
    wanted = await find_wanted(ask)
    async with ask.federation.db.read() as session:
        view = (await load_documents(session, [wanted.head.id])).get(wanted.head.id)
    if not isinstance(view, NoteView):
        raise NotFound
    ask.answer_with(render_note(view, ask.federation.links)[name])


async def _render_activities(ask: Ask, session: ReadSession, rows: Sequence[FeedRow]) -> list[dict[str, Any]]:
    links = ask.federation.links
    views = await load_documents(session, [row.id for row in rows])
    found = (views[row.id] for row in rows if row.id in views)
    return [
        bare(
            activities.create(render_note(view, links))
            if isinstance(view, NoteView)
            else activities.announce(view, links)
        )
        for view in found
    ]


def _actor(ask: Ask, head: ActorHead) -> str:
    return ids.actor_named(ask.federation.links, head.username)


def _collection(uri: str, total: int) -> dict[str, Any]:
    return {"id": uri, "type": "OrderedCollection", "totalItems": total}


def _page(uri: str, page: Page, cursors: Sequence[int], items: Sequence[Any]) -> dict[str, Any]:
    """A page, newest first: `next` is older."""
    query = {name: value for name, value in (("max_id", page.max_id), ("min_id", page.min_id)) if value is not None}
    document: dict[str, Any] = {
        "id": _with(uri, {**query, "page": "true"}),
        "type": "OrderedCollectionPage",
        "partOf": uri,
        "orderedItems": list(items),
    }
    if len(cursors) >= page.limit:
        document["next"] = _with(uri, {"max_id": cursors[-1], "page": "true"})
    if cursors:
        document["prev"] = _with(uri, {"min_id": cursors[0], "page": "true"})
    return document


def _ids_page(ask: Ask, uri: str, found: Sequence[StatusReference], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of statuses by their ids, oldest first: `next` is newer. It has no id of its own yet."""
    page: dict[str, Any] = {
        "type": "CollectionPage",
        "partOf": uri,
        "items": [ids.status(ask.federation.links, one) for one in found],
    }
    if len(found) >= _IDS_ON_PAGE:
        page["next"] = _with(uri, {**query, "min_id": found[-1].id, "page": "true"})
    return page


def _read_page(ask: Ask, limit: int) -> Page | None:
    if ask.req.get_param("page") != "true":
        return None
    return Page(max_id=_read_bound(ask, "max_id"), min_id=_read_bound(ask, "min_id"), limit=limit)


def _read_after(ask: Ask) -> int:
    return _read_bound(ask, "min_id") or 0


def _read_bound(ask: Ask, name: str) -> int | None:
    text = ask.req.get_param(name)
    return None if text is None else read_id(text)


def _own_query(ask: Ask) -> dict[str, str]:
    """The parameters that make the page's address, in one order and without what means nothing."""
    given = {name: ask.req.get_param(name) for name in ("only_other_accounts", "min_id", "page")}
    return {name: value for name, value in given.items() if value}


def _with(uri: str, query: Mapping[str, Any]) -> str:
    return f"{uri}?{urlencode(query)}"
