"""Keeps the indexes of words: what is said in a status, and by what name an account is known.

A status carries marks beside its words: its author, those who may find it (who is named in it, and the members who
favourited, bookmarked or boosted it), and whether everybody may.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, literal, select, union_all

from phiomia.domain.accounts.models import accounts
from phiomia.domain.media.kinds import MediaKind
from phiomia.domain.media.models import media
from phiomia.domain.search.models import account_search, status_search
from phiomia.domain.search.parse import language_mark
from phiomia.domain.search.words import mark, split_words, write_body
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.domain.statuses.models import bookmarks, favourites, poll_options, status_mentions, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.session import Row
from phiomia.platform.html import to_plain_text

_MOST_INTERESTED = 1_000


class _Said(NamedTuple):
    """What is indexed of a status, in the order of the columns below."""

    account_id: int
    local: bool
    source: str
    content: str
    spoiler_text: str
    visibility: int
    sensitive: bool
    language: str | None
    in_reply_to_id: int | None
    poll_id: int | None
    media_count: int
    indexable: bool


_STATUS = Query(
    select(*[statuses.c[name] for name in _Said._fields if name != "indexable"], accounts.c.indexable)
    .join(accounts, accounts.c.id == statuses.c.account_id)
    .where(statuses.c.id == P("id"), statuses.c.reblog_of_id.is_(None))
)
_MEDIA = Query(select(media.c.kind, media.c.description).where(media.c.status_id == P("id")))
_OPTIONS = Query(select(poll_options.c.title).where(poll_options.c.poll_id == P("id")))
_boost = statuses.alias("boost")
_INTERESTED = Query(
    select(accounts.c.id)
    .where(
        accounts.c.id.in_(
            union_all(
                select(status_mentions.c.account_id).where(status_mentions.c.status_id == P("id")),
                select(favourites.c.account_id).where(favourites.c.status_id == P("id")),
                select(bookmarks.c.account_id).where(bookmarks.c.status_id == P("id")),
                select(_boost.c.account_id).where(_boost.c.reblog_of_id == P("id")),
            )
        ),
        accounts.c.domain == "",
    )
    .limit(literal(_MOST_INTERESTED))
)
_ACCOUNT = Query(
    select(accounts.c.username, accounts.c.domain, accounts.c.display_name).where(accounts.c.id == P("id"))
)


def _put(table: str) -> Query:
    return Query.raw(
        sqlite=f"INSERT OR REPLACE INTO {table} (rowid, body) VALUES (:id, :body)",  # noqa: S608 (our own names)
        postgresql=f"INSERT INTO {table} (rowid, body) VALUES (:id, CAST(CAST(:body AS text) AS tsvector)) "  # noqa: S608
        "ON CONFLICT (rowid) DO UPDATE SET body = EXCLUDED.body",
    )


_PUT_STATUS, _PUT_ACCOUNT = _put("status_search"), _put("account_search")
_DROP_STATUS = Query(delete(status_search).where(status_search.c.rowid == P("id")))
_DROP_ACCOUNT = Query(delete(account_search).where(account_search.c.rowid == P("id")))


async def index_status(session: WriteSession, status_id: int) -> None:
    """Lets a status be found by what it says now; boosts and statuses that are gone are not in the index."""
    said = await session.view(_Said, _STATUS, id=status_id)
    if said is None:
        await unindex_status(session, status_id)
        return
    options = None if said.poll_id is None else await session.column(_OPTIONS, id=said.poll_id)
    await _put_status(session, status_id, said, options, await session.column(_INTERESTED, id=status_id))


async def index_draft(
    session: WriteSession, status_id: int, draft: StatusDraft, *, in_reply_to_id: int | None, indexable: bool
) -> None:
    """The same for what has just been written, of which only those it is addressed to may have an interest yet."""
    said = _Said(
        account_id=draft.account_id,
        local=draft.local,
        source=draft.source,
        content=draft.content,
        spoiler_text=draft.spoiler_text,
        visibility=draft.visibility,
        sensitive=draft.sensitive,
        language=draft.language,
        in_reply_to_id=in_reply_to_id,
        poll_id=None,
        media_count=draft.media_count,
        indexable=indexable,
    )
    addressed = draft.mentions or draft.silent_mentions
    interested = await session.column(_INTERESTED, id=status_id) if addressed else []
    await _put_status(session, status_id, said, draft.poll.options if draft.poll else None, interested)


async def _put_status(
    session: WriteSession, status_id: int, said: _Said, options: Sequence[str] | None, interested: Sequence[int]
) -> None:
    texts = [said.spoiler_text, said.source if said.local and said.source else to_plain_text(said.content)]
    marks = [mark("a", said.account_id)]
    if said.visibility == Visibility.PUBLIC and said.indexable:
        marks.append(mark("p"))
    if said.in_reply_to_id is not None:
        marks.append(mark("s", "reply"))
    if said.sensitive:
        marks.append(mark("s", "sensitive"))
    marks += _language_marks(said.language)
    if "://" in texts[1] and not said.media_count:
        marks.append(mark("h", "link"))
    if said.media_count:
        _add_media(await session.all(_MEDIA, id=status_id), texts, marks)
    if options is not None:
        texts += options
        marks.append(mark("h", "poll"))
    marks += [mark("v", one) for one in interested]
    await session.execute(
        _PUT_STATUS, id=status_id, body=write_body(session.dialect, split_words("\n".join(texts)), marks)
    )


async def unindex_status(session: WriteSession, status_id: int) -> None:
    """Lets a status no longer be found."""
    await session.execute(_DROP_STATUS, id=status_id)


async def index_account(session: WriteSession, account_id: int) -> None:
    """Lets an account be found by its names of now."""
    row = await session.one(_ACCOUNT, id=account_id)
    if row is None:
        await unindex_account(session, account_id)
        return
    body = write_body(session.dialect, split_words("\n".join(row)), [])
    await session.execute(_PUT_ACCOUNT, id=account_id, body=body)


async def unindex_account(session: WriteSession, account_id: int) -> None:
    """Lets an account no longer be found by words."""
    await session.execute(_DROP_ACCOUNT, id=account_id)


def _language_marks(language: str | None) -> list[str]:
    codes = {language, language.partition("-")[0]} if language else set()
    return [code for one in sorted(codes) if (code := language_mark(one))]


def _add_media(rows: Sequence[Row], texts: list[str], marks: list[str]) -> None:
    marks.append(mark("h", "media"))
    for kind, description in rows:
        marks.append(mark("h", MediaKind(kind).name.lower()))
        texts.append(description or "")
