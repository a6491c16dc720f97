"""Reading statuses: pages of ids with revisions and flags, and whole views for rendering."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, literal, select
from sqlalchemy.sql.selectable import CTE

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.queries import (
    SHOWN_ACCOUNTS,
    ShownAccount,
    load_shown_accounts,
    read_shown_accounts,
)
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.instance.models import custom_emojis
from phiomia.domain.media.models import media
from phiomia.domain.media.views import MediaView
from phiomia.domain.oauth.models import apps
from phiomia.domain.statuses.card_views import CardState, CardView
from phiomia.domain.statuses.models import (
    bookmarks,
    cards,
    conversation_mutes,
    favourites,
    pins,
    poll_options,
    poll_votes,
    polls,
    quotes,
    status_mentions,
    status_tags,
    statuses,
)
from phiomia.domain.statuses.policy import visible_with_original
from phiomia.domain.statuses.quote_views import QuoteView
from phiomia.domain.statuses.views import (
    FeedRow,
    Mark,
    MentionView,
    PollOptionView,
    PollView,
    StatusRow,
    StatusView,
    TagView,
)
from phiomia.domain.tags.models import tags
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.together import Together, strings_of
from phiomia.platform.json import decode_strings

V = TypeVar("V")

VIEWER = P("viewer")
NOBODY = 0


def page_query(
    ids: Select[Any],
    *,
    oldest_first: bool = False,
    anonymous: bool = False,
    more: Sequence[str] = (),
    without_suspended: bool = False,
) -> Query:
    """The statement of `select_page`."""
    return Query(
        select_page(ids, oldest_first=oldest_first, anonymous=anonymous, more=more, without_suspended=without_suspended)
    )


def select_page(
    ids: Select[Any],
    *,
    oldest_first: bool = False,
    anonymous: bool = False,
    more: Sequence[str] = (),
    without_suspended: bool = False,
    name: str = "page",
) -> Select[Any]:
    """A select that gives FeedRows for a select of (cursor, id); further columns named in `more` come behind.

    `ids` is evaluated first and alone (MATERIALIZED), then joined: PostgreSQL would otherwise read all
    favourites of the viewer. The joins are outer ones, though nothing is ever missing, because planners keep to
    their order: with few accounts SQLite would begin with them. Rows come newest first unless `oldest_first`;
    `without_suspended` leaves out what suspended accounts have written, also where others have boosted it. Where
    several are parts of one statement, each needs a `name`.
    """
    page: CTE = ids.cte(name).prefix_with("MATERIALIZED", dialect="postgresql")
    status = statuses.alias("s")
    original = statuses.alias("o")
    author = accounts.alias("a")
    original_author = accounts.alias("oa")
    shown = func.coalesce(original.c.id, status.c.id)
    thread = func.coalesce(original.c.conversation_id, status.c.conversation_id)
    author_shown = func.coalesce(original.c.account_id, status.c.account_id)
    marks: ColumnElement[int] = literal(0) if anonymous else _marks(shown, author_shown, thread)
    order = page.c.cursor.asc() if oldest_first else page.c.cursor.desc()
    # COALESCE also where nothing is NULL: a plain comparison would make inner joins of the outer ones.
    states = [func.coalesce(one.c.state, 0) for one in (author, original_author)] if without_suspended else []
    return (
        select(
            page.c.cursor,
            status.c.id,
            status.c.rev,
            status.c.account_id,
            author.c.rev,
            original.c.id,
            original.c.rev,
            original.c.account_id,
            original_author.c.rev,
            marks,
            *[page.c[name] for name in more],
        )
        .select_from(
            page.outerjoin(status, status.c.id == page.c.id)
            .outerjoin(author, author.c.id == status.c.account_id)
            .outerjoin(original, original.c.id == status.c.reblog_of_id)
            .outerjoin(original_author, original_author.c.id == original.c.account_id)
        )
        .where(*(state < AccountState.SUSPENDED for state in states))
        .order_by(order)
    )


def _marks(shown: ColumnElement[int], author: ColumnElement[int], thread: ColumnElement[int]) -> ColumnElement[int]:
    """What the viewer has done with what is shown, as a Mark. Cheap questions come first and spare most others."""
    boost = statuses.alias("b")
    muted = conversation_mutes.c.account_id == VIEWER
    return (
        _mark(
            Mark.FAVOURITED,
            shown <= _newest(favourites),
            _one(favourites.c.id, favourites.c.account_id == VIEWER, favourites.c.status_id == shown),
        )
        + _mark(Mark.BOOSTED, _one(boost.c.id, boost.c.account_id == VIEWER, boost.c.reblog_of_id == shown))
        + _mark(
            Mark.BOOKMARKED,
            shown <= _newest(bookmarks),
            _one(bookmarks.c.id, bookmarks.c.account_id == VIEWER, bookmarks.c.status_id == shown),
        )
        + _mark(
            Mark.MUTED,
            _one(conversation_mutes.c.account_id, muted),
            _one(conversation_mutes.c.account_id, muted, conversation_mutes.c.conversation_id == thread),
        )
        # One's own are all that can be pinned.
        + _mark(Mark.PINNED, author == VIEWER, _one(pins.c.id, pins.c.account_id == VIEWER, pins.c.status_id == shown))
    )


def _mark(mark: Mark, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    # Databases may ask both sides of an AND, but of a CASE only what is needed.
    value: ColumnElement[int] = literal(int(mark))
    for condition in reversed(conditions):
        value = case((condition, value), else_=literal(0))
    return value


def _newest(marked: Table) -> ColumnElement[int]:
    """The newest status that the viewer has marked: one look at an index, instead of one for each newer status."""
    return select(func.max(marked.c.status_id)).where(marked.c.account_id == VIEWER).scalar_subquery()


def _one(column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # "IS NOT NULL" of a scalar, not EXISTS: PostgreSQL turns that into a hash of the whole table.
    return select(column).where(*conditions).limit(literal(1)).scalar_subquery().is_not(None)


_VISIBLE = page_query(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(
        any_of(statuses.c.id, listed("ids")), visible_with_original(statuses, VIEWER)
    )
)
_VISIBLE_ONE = page_query(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(
        statuses.c.id == P("id"), visible_with_original(statuses, VIEWER)
    )
)
GIVEN: Final = select_page(
    select(statuses.c.id.label("cursor"), statuses.c.id).where(any_of(statuses.c.id, listed("ids"))), name="given"
)
"""Page rows of `ids`, whose visibility somebody else has established."""
_GIVEN = Query(GIVEN)
_VISIBLE_ROW = Query(
    select(*[statuses.c[name] for name in StatusRow.__struct_fields__]).where(
        statuses.c.id == P("id"), visible_with_original(statuses, VIEWER)
    )
)
_POLL_COLUMNS = [polls.c[name] for name in PollView.__struct_fields__ if name in polls.c]
_STATUS_OF_POLL = Query(select(polls.c.status_id).where(polls.c.id == P("id")))
_VOTES = Query(
    select(poll_votes.c.poll_id, poll_votes.c.choice)
    .where(any_of(poll_votes.c.poll_id, listed("ids")), poll_votes.c.account_id == VIEWER)
    .order_by(poll_votes.c.poll_id, poll_votes.c.choice)
)
_of_ids = any_of(statuses.c.id, listed("ids"))
_MEDIA_STATUS = MediaView.__struct_fields__.index("status_id")
_wanted_emoji = strings_of(statuses.c.emojis).table_valued("value").alias("wanted_emoji")
WHOLE: Final[Mapping[str, Select[Any]]] = {
    "statuses": select(*[statuses.c[name] for name in StatusRow.__struct_fields__]).where(_of_ids),
    "media": select(*[media.c[name] for name in MediaView.__struct_fields__])
    .where(any_of(media.c.status_id, listed("ids")))
    .order_by(media.c.status_id, media.c.position),
    "mentions": select(
        status_mentions.c.status_id,
        accounts.c.id,
        accounts.c.username,
        accounts.c.domain,
        accounts.c.url,
        accounts.c.uri,
    )
    .select_from(status_mentions.join(accounts, accounts.c.id == status_mentions.c.account_id))
    .where(any_of(status_mentions.c.status_id, listed("ids")), status_mentions.c.silent.is_(False))
    .order_by(status_mentions.c.status_id, accounts.c.id),
    "tags": select(status_tags.c.status_id, tags.c.name, status_tags.c.display_name)
    .select_from(status_tags.join(tags, tags.c.id == status_tags.c.tag_id))
    .where(any_of(status_tags.c.status_id, listed("ids")))
    .order_by(status_tags.c.status_id, tags.c.name),
    "emojis": select(statuses.c.id, *[custom_emojis.c[name] for name in EmojiView.__struct_fields__])
    .select_from(
        statuses.join(accounts, accounts.c.id == statuses.c.account_id)
        .join(_wanted_emoji, statuses.c.emojis != "[]")
        .join(
            custom_emojis,
            and_(custom_emojis.c.shortcode == _wanted_emoji.c.value, custom_emojis.c.domain == accounts.c.domain),
        )
    )
    .where(_of_ids, custom_emojis.c.disabled.is_(False)),
    "polls": select(*_POLL_COLUMNS).where(any_of(polls.c.status_id, listed("ids"))),
    "options": select(poll_options.c.poll_id, poll_options.c.title, poll_options.c.votes_count)
    .select_from(polls.join(poll_options, poll_options.c.poll_id == polls.c.id))
    .where(any_of(polls.c.status_id, listed("ids")))
    .order_by(poll_options.c.poll_id, poll_options.c.position),
    "apps": select(apps.c.id, apps.c.name, apps.c.website).where(
        apps.c.id.in_(select(statuses.c.application_id).where(_of_ids))
    ),
    "quotes": select(
        quotes.c.status_id, quotes.c.state, quotes.c.quoted_id, quotes.c.quoted_uri, quotes.c.approval_uri
    ).where(any_of(quotes.c.status_id, listed("ids"))),
    "cards": select(*[cards.c[name] for name in CardView.__struct_fields__]).where(
        cards.c.id.in_(select(statuses.c.card_id).where(_of_ids)), cards.c.state == CardState.SHOWN
    ),
}
"""Everything that statuses are shown with, for a statement of `Together`; `ids` are asked for."""

_WHOLE = Together(WHOLE)
_SHOWN = Together({**WHOLE, **SHOWN_ACCOUNTS})

_FAVOURITED_BY = Query(
    select(favourites.c.account_id).where(
        favourites.c.status_id == P("id"), any_of(favourites.c.account_id, listed("viewers"))
    )
)
_BOOSTED_BY = Query(
    select(statuses.c.account_id).where(
        statuses.c.reblog_of_id == P("id"), any_of(statuses.c.account_id, listed("viewers"))
    )
)
_BOOKMARKED_BY = Query(
    select(bookmarks.c.account_id).where(
        bookmarks.c.status_id == P("id"), any_of(bookmarks.c.account_id, listed("viewers"))
    )
)
_PINNED_BY = Query(
    select(pins.c.account_id).where(pins.c.status_id == P("id"), any_of(pins.c.account_id, listed("viewers")))
)
_MUTED_BY = Query(
    select(conversation_mutes.c.account_id)
    .select_from(conversation_mutes.join(statuses, statuses.c.conversation_id == conversation_mutes.c.conversation_id))
    .where(statuses.c.id == P("id"), any_of(conversation_mutes.c.account_id, listed("viewers")))
)


async def marks_for_viewers(session: ReadSession, row: FeedRow, viewers: Sequence[int]) -> dict[int, int]:
    """What each of many viewers has done with a status, for those who have done anything: `marks` of a FeedRow."""
    shown = row.original_id or row.id
    found: dict[int, int] = {}
    for mark, query in (
        (Mark.FAVOURITED, _FAVOURITED_BY),
        (Mark.BOOSTED, _BOOSTED_BY),
        (Mark.BOOKMARKED, _BOOKMARKED_BY),
        (Mark.PINNED, _PINNED_BY),
        (Mark.MUTED, _MUTED_BY),
    ):
        for viewer in await session.column(query, id=shown, viewers=list(viewers)):
            found[viewer] = found.get(viewer, 0) | mark
    return found


# What FeedRow._make does, for rows that are known to be of the right length.
_as_feed_row: Callable[[Any], FeedRow] = partial(tuple.__new__, FeedRow)


async def feed_rows(session: ReadSession, query: Query, viewer: int | None, **parameters: Any) -> list[FeedRow]:
    """Runs a statement of `page_query`."""
    return list(map(_as_feed_row, await session.all(query, viewer=viewer or NOBODY, **parameters)))


async def find_rows(session: ReadSession, ids: Sequence[int], viewer: int | None) -> dict[int, FeedRow]:
    """Those of the statuses that exist and that the viewer may see, as page rows by id."""
    rows = await feed_rows(session, _VISIBLE, viewer, ids=list(ids))
    return {row.id: row for row in rows}


async def load_row(session: ReadSession, status_id: int, viewer: int | None) -> FeedRow:
    """One status as a page row. Raises NotFound, also for what the viewer may not see."""
    row = await session.one(_VISIBLE_ONE, viewer=viewer or NOBODY, id=status_id)
    if row is None:
        raise NotFound
    return _as_feed_row(row)


async def rows_of(session: ReadSession, ids: Sequence[int], viewer: int | None) -> dict[int, FeedRow]:
    """Page rows of statuses whose visibility somebody else has established."""
    return {row.id: row for row in await feed_rows(session, _GIVEN, viewer, ids=list(ids))}


async def load_status(session: ReadSession, status_id: int, viewer: int | None) -> StatusRow:
    """A status's own columns. Raises NotFound, also for what the viewer may not see."""
    found = await session.views(StatusRow, _VISIBLE_ROW, id=status_id, viewer=viewer or NOBODY)
    if not found:
        raise NotFound
    return found[0]


async def load_statuses(session: ReadSession, ids: Sequence[int]) -> dict[int, StatusView]:
    """Whole views, in one statement for any number of ids."""
    return read_statuses(await _WHOLE.ask(session, ids=list(ids))) if ids else {}


async def load_shown(
    session: ReadSession, ids: Sequence[int], account_ids: Sequence[int]
) -> tuple[dict[int, StatusView], dict[int, ShownAccount]]:
    """Whole views of statuses, and accounts: those named and those who wrote these statuses. In one statement."""
    if not ids:
        return {}, await load_shown_accounts(session, account_ids)
    found = await _SHOWN.ask(session, ids=list(ids), account_ids=list(account_ids))
    return read_statuses(found), read_shown_accounts(found)


def read_statuses(found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, StatusView]:
    """What the parts `WHOLE` of a statement gave, by id."""
    rows = [StatusRow(*row) for row in found["statuses"]]
    attached = _by_first((row[_MEDIA_STATUS], MediaView(*row)) for row in found["media"])
    mentions = _by_first(
        (status_id, MentionView(account_id, username, domain, url or uri))
        for status_id, account_id, username, domain, url, uri in found["mentions"]
    )
    tagged = _by_first((row[0], TagView(*row[1:])) for row in found["tags"])
    emojis = _read_emojis(rows, found["emojis"])
    polled = _read_polls(found, emojis)
    applications = {row[0]: (row[1], row[2]) for row in found["apps"]}
    quoted = {row[0]: QuoteView(*row[1:]) for row in found["quotes"]}
    shown = {row[0]: CardView(*row) for row in found["cards"]}
    return {
        row.id: StatusView(
            row=row,
            media=attached.get(row.id, []),
            mentions=mentions.get(row.id, []),
            tags=tagged.get(row.id, []),
            emojis=emojis.get(row.id, []),
            poll=polled.get(row.id),
            application=applications.get(row.application_id or 0),
            quote=quoted.get(row.id),
            card=shown.get(row.card_id or 0),
        )
        for row in rows
    }


async def find_status_of_poll(session: ReadSession, poll_id: int) -> int | None:
    """The id of the status that a poll belongs to."""
    status_id: int | None = await session.value(_STATUS_OF_POLL, id=poll_id)
    return status_id


async def load_votes(session: ReadSession, poll_ids: Sequence[int], viewer: int) -> dict[int, list[int]]:
    """The viewer's choices in several polls."""
    found: dict[int, list[int]] = {}
    for poll_id, choice in await session.all(_VOTES, ids=list(poll_ids), viewer=viewer):
        found.setdefault(poll_id, []).append(choice)
    return found


def _by_first(pairs: Iterable[tuple[int, V]]) -> dict[int, list[V]]:
    found: dict[int, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _read_emojis(rows: Sequence[StatusRow], found: Sequence[Sequence[Any]]) -> dict[int, list[EmojiView]]:
    """The emoji of each status that has any, in the order in which it names them."""
    known = {(status_id, columns[0]): EmojiView(*columns) for status_id, *columns in found}
    return {
        row.id: [known[row.id, name] for name in decode_strings(row.emojis) if (row.id, name) in known]
        for row in rows
        if row.emojis != "[]"
    }


def _read_polls(
    found: Mapping[str, Sequence[Sequence[Any]]], emojis: Mapping[int, list[EmojiView]]
) -> dict[int, PollView]:
    options = _by_first((poll_id, PollOptionView(title, votes)) for poll_id, title, votes in found["options"])
    polled = {}
    for row in found["polls"]:
        answers = tuple(options.get(row[0], ()))
        titles = "\n".join(answer.title for answer in answers)
        used = tuple(emoji for emoji in emojis.get(row[1], ()) if f":{emoji.shortcode}:" in titles)
        polled[row[1]] = PollView(*(*row, answers, used))
    return polled
