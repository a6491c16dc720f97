"""Statuses as their ActivityPub documents show them: whole views, in a fixed number of statements for any number."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import and_, func, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.instance.emoji_documents import EmojiDetail, load_own_emojis
from phiomia.domain.media.models import media
from phiomia.domain.statuses.models import status_mentions, statuses
from phiomia.domain.statuses.views import StatusRow, StatusView
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.statuses.whole import load_statuses
from phiomia.platform.db import Query, ReadSession, any_of, listed
from phiomia.platform.json import decode_strings

_OWN_REPLIES = 5


class Addressed(NamedTuple):
    """Somebody a status is addressed to; `silent`: without being named in it. Local ones have no uri."""

    id: int
    uri: str
    username: str
    domain: str
    silent: bool


class StatusReference(NamedTuple):
    """What it takes to speak of a status. Local ones and their authors have no uri."""

    id: int
    uri: str
    local: bool
    account_id: int
    username: str
    author_uri: str


class NoteView(msgspec.Struct, frozen=True):
    """A local status with what its document shows. `root`: where its conversation began, if that is still known."""

    status: StatusView
    author: AccountView
    addressed: list[Addressed]
    media_types: dict[int, str]
    emojis: list[EmojiDetail]
    parent: StatusReference | None
    root: StatusReference | None
    own_replies: list[int]
    quoted: StatusReference | None = None


class BoostView(msgspec.Struct, frozen=True):
    """A local boost. `note` is what it shares, when that is the booster's own and not for everybody."""

    row: StatusRow
    author: AccountView
    original: StatusReference
    note: NoteView | None


_ADDRESSED = Query(
    select(
        status_mentions.c.status_id,
        accounts.c.id,
        accounts.c.uri,
        accounts.c.username,
        accounts.c.domain,
        status_mentions.c.silent,
    )
    .select_from(status_mentions.join(accounts, accounts.c.id == status_mentions.c.account_id))
    .where(any_of(status_mentions.c.status_id, listed("ids")))
    .order_by(status_mentions.c.status_id, accounts.c.id)
)
REFERENCES: Final = select(
    statuses.c.id,
    statuses.c.uri,
    statuses.c.local,
    statuses.c.account_id,
    accounts.c.username,
    accounts.c.uri,
).select_from(statuses.join(accounts, accounts.c.id == statuses.c.account_id))
"""The columns of a StatusReference."""
_REFERENCES = Query(REFERENCES.where(any_of(statuses.c.id, listed("ids"))))
_MEDIA_TYPES = Query(
    select(media.c.status_id, media.c.id, media.c.content_type).where(any_of(media.c.status_id, listed("ids")))
)
_parent = statuses.alias("parent")
_ranked = (
    select(
        statuses.c.in_reply_to_id.label("parent_id"),
        statuses.c.id.label("id"),
        func.row_number().over(partition_by=statuses.c.in_reply_to_id, order_by=statuses.c.id).label("place"),
    )
    .select_from(
        statuses.join(
            _parent, and_(_parent.c.id == statuses.c.in_reply_to_id, _parent.c.account_id == statuses.c.account_id)
        )
    )
    .where(any_of(statuses.c.in_reply_to_id, listed("ids")), statuses.c.visibility <= Visibility.UNLISTED)
    .subquery("ranked")
)
_OWN = Query(select(_ranked.c.parent_id, _ranked.c.id).where(_ranked.c.place <= _OWN_REPLIES).order_by(_ranked.c.id))


async def load_documents(session: ReadSession, ids: Sequence[int]) -> dict[int, NoteView | BoostView]:
    """What the documents of local statuses show, by id; remote ones and boosts of what is gone are left out."""
    found = {id_: view for id_, view in (await load_statuses(session, ids)).items() if view.row.local}
    boosts = {id_: view.row for id_, view in found.items() if view.row.reblog_of_id is not None}
    shared = await _load_shared(session, boosts.values())
    notes = await _load_notes(
        session, [view for id_, view in found.items() if id_ not in boosts] + [view for view, _ in shared.values()]
    )
    people = await load_accounts(session, sorted({row.account_id for row in boosts.values()}))
    references = await load_references(session, [row.reblog_of_id for row in boosts.values() if row.reblog_of_id])
    documents: dict[int, NoteView | BoostView] = {id_: notes[id_] for id_ in found if id_ in notes}
    for id_, row in boosts.items():
        original = references.get(row.reblog_of_id or 0)
        if original is not None and row.account_id in people:
            own = notes.get(original.id) if original.id in shared else None
            documents[id_] = BoostView(row, people[row.account_id], original, own)
    return documents


async def load_references(session: ReadSession, ids: Sequence[int]) -> dict[int, StatusReference]:
    """How to speak of statuses, by id."""
    if not ids:
        return {}
    return {one.id: one for one in await session.views(StatusReference, _REFERENCES, ids=sorted(set(ids)))}


async def _load_shared(session: ReadSession, boosts: Iterable[StatusRow]) -> dict[int, tuple[StatusView, int]]:
    """The boosters' own statuses that are not for everybody: nobody else could ask for them."""
    wanted = {row.reblog_of_id: row.account_id for row in boosts if row.visibility > Visibility.UNLISTED}
    found = await load_statuses(session, [id_ for id_ in wanted if id_ is not None])
    return {id_: (view, wanted[id_]) for id_, view in found.items() if view.row.account_id == wanted[id_]}


async def _load_notes(session: ReadSession, views: Sequence[StatusView]) -> dict[int, NoteView]:
    if not views:
        return {}
    ids = [view.row.id for view in views]
    people = await load_accounts(session, sorted({view.row.account_id for view in views}))
    addressed: dict[int, list[Addressed]] = {}
    for status_id, *columns in await session.all(_ADDRESSED, ids=ids):
        addressed.setdefault(status_id, []).append(Addressed(*columns))
    quoted = {view.row.id: view.quote.quoted_id for view in views if view.quote is not None}
    near = {near for view in views for near in (view.row.in_reply_to_id, view.row.conversation_id) if near is not None}
    near.update(id_ for id_ in quoted.values() if id_ is not None)
    references = await load_references(session, sorted(near))
    replies: dict[int, list[int]] = {}
    for parent_id, reply_id in await session.all(_OWN, ids=ids):
        replies.setdefault(parent_id, []).append(reply_id)
    types = await _load_media_types(session, views)
    names = {view.row.id: decode_strings(view.row.emojis) for view in views if view.row.emojis != "[]"}
    emojis = await load_own_emojis(session, {name for many in names.values() for name in many})
    return {
        view.row.id: NoteView(
            status=view,
            author=people[view.row.account_id],
            addressed=addressed.get(view.row.id, []),
            media_types=types.get(view.row.id, {}),
            emojis=[emojis[name] for name in names.get(view.row.id, []) if name in emojis],
            parent=references.get(view.row.in_reply_to_id or 0),
            root=references.get(view.row.conversation_id),
            own_replies=replies.get(view.row.id, []),
            quoted=references.get(quoted.get(view.row.id) or 0),
        )
        for view in views
        if view.row.account_id in people
    }


async def _load_media_types(session: ReadSession, views: Sequence[StatusView]) -> dict[int, dict[int, str]]:
    wanted = [view.row.id for view in views if view.row.media_count]
    found: dict[int, dict[int, str]] = {}
    if wanted:
        for status_id, media_id, content_type in await session.all(_MEDIA_TYPES, ids=wanted):
            found.setdefault(status_id, {})[media_id] = content_type
    return found
