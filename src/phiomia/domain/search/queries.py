"""Finding statuses by words and anything by its address, and how much hashtags are used.

These may look at many rows: run them with `db.scan`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import is_followed, not_blocked_or_muted
from phiomia.domain.search.conditions import is_shown, matches, unindexed
from phiomia.domain.search.models import status_search
from phiomia.domain.search.parse import Sought
from phiomia.domain.search.words import Match, mark, write_match
from phiomia.domain.statuses.featured_tags import FEATURED
from phiomia.domain.statuses.models import status_tags, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.rows import select_page
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.queries import FOLLOWED
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.together import Together
from phiomia.platform.ids import SEQUENCE_BITS, id_at
from phiomia.platform.paging import HIGHEST_ID

_HISTORY_DAYS = 7
_HISTORY_USES = 10_000
_VIEWER = P("viewer")


class Part(NamedTuple):
    """Which statuses, newest first: ids between two bounds (both excluded), the first `offset` left out."""

    limit: int = 20
    offset: int = 0
    above: int = 0
    below: int = HIGHEST_ID


class TagDay(NamedTuple):
    """How often a hashtag was used on a day, and by how many."""

    day: int
    uses: int
    accounts: int


class UsedTags(NamedTuple):
    """How hashtags are used, by id, and which of them the viewer follows and features."""

    days: dict[int, list[TagDay]]
    followed: set[int]
    featured: set[int]


def day_of(id_: ColumnElement[int]) -> ColumnElement[int]:
    """The number of the day (UTC, since 1970) in which an id was made."""
    return id_.bitwise_rshift(literal(SEQUENCE_BITS)) // literal(DAY)


# An alias: the conditions on visibility read the same table for themselves.
_author = accounts.alias("author")
_statuses = (
    select(status_search.c.rowid.label("cursor"), status_search.c.rowid.label("id"))
    .join(statuses, statuses.c.id == status_search.c.rowid)
    .join(_author, _author.c.id == statuses.c.account_id)
    .where(
        matches(status_search.c.body, P("match", str)),
        unindexed(status_search.c.rowid) < P("below"),
        unindexed(status_search.c.rowid) > P("above"),
        visible_to(statuses, _VIEWER),
        not_blocked_or_muted(statuses.c.account_id, _VIEWER),
        or_(
            _author.c.state != AccountState.LIMITED,
            _author.c.id == _VIEWER,
            is_followed(_author.c.id, _VIEWER),
        ),
    )
    .order_by(status_search.c.rowid.desc())
    .limit(P("limit"))
    .offset(P("offset"))
)
_BY_HANDLE = Query(
    select(accounts.c.id).where(
        accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str), is_shown()
    )
)
_newest_uses = (
    select(status_tags.c.tag_id, status_tags.c.status_id, statuses.c.account_id)
    .join(statuses, statuses.c.id == status_tags.c.status_id)
    .where(
        any_of(status_tags.c.tag_id, listed("tags")),
        status_tags.c.status_id > P("since"),
        statuses.c.visibility == Visibility.PUBLIC,
    )
    .order_by(status_tags.c.status_id.desc())
    .limit(literal(_HISTORY_USES))
    .subquery()
)
_day = day_of(_newest_uses.c.status_id)
_uses_by_day = select(
    _newest_uses.c.tag_id, _day, func.count(), func.count(_newest_uses.c.account_id.distinct())
).group_by(_newest_uses.c.tag_id, _day)
_USES_BY_DAY = Query(_uses_by_day)
_OF_TAGS = {"uses": _uses_by_day, "followed": FOLLOWED, "featured": FEATURED}
_TAGS = Together(_OF_TAGS)
_FOUND = Together({"statuses": select_page(_statuses, name="found"), **_OF_TAGS})
_BY_ADDRESS = Together(
    {
        "status": select(statuses.c.id).where(
            statuses.c.uri == P("address", str), statuses.c.uri != "", visible_to(statuses, _VIEWER)
        ),
        "account": select(accounts.c.id).where(accounts.c.uri == P("address", str), accounts.c.uri != "", is_shown()),
    }
)
_LOCAL_STATUS = Query(
    select(statuses.c.id).where(
        statuses.c.id == P("id"), statuses.c.reblog_of_id.is_(None), visible_to(statuses, _VIEWER)
    )
)


async def search_statuses(
    session: ReadSession, viewer: int, match: Match, part: Part, tag_ids: Sequence[int]
) -> tuple[list[FeedRow], UsedTags]:
    """The statuses that the viewer may find and see, newest first; and how hashtags are used.

    Found are one's own, those one is named in or has favourited, bookmarked or boosted, and public ones of those
    who allow it.
    """
    found = await _FOUND.ask(
        session,
        match=write_match(session.dialect, match),
        viewer=viewer,
        now=now_ms(),
        above=part.above,
        below=part.below,
        limit=part.limit,
        offset=part.offset,
        tags=list(tag_ids),
        since=_since(),
    )
    return [FeedRow(*row) for row in found["statuses"]], _read_tags(tag_ids, found)


def match_statuses(sought: Sought, viewer: int, authors: Mapping[str, int], author: int | None = None) -> Match | None:
    """What of the index a question is about; None when there can be nothing. `authors`: ids of those it names."""
    if sought.empty:
        return None
    known = {**authors, "me": viewer}
    if any(handle not in known for handle in sought.authors):
        return None
    wanted = [*sought.wanted, *((mark("a", known[handle]),) for handle in sought.authors)]
    unwanted = [*sought.unwanted, *((mark("a", known[one]),) for one in sought.not_authors if one in known)]
    if author is not None:
        wanted.append((mark("a", author),))
    if not set(wanted).isdisjoint(unwanted):
        return None
    scopes = {"public": (mark("p"),), "library": (mark("a", viewer), mark("v", viewer))}
    scope = scopes.get(sought.scope) or scopes["public"] + scopes["library"]
    return Match(tuple(wanted), scope, tuple(unwanted))


async def load_used_tags(session: ReadSession, viewer: int, tag_ids: Sequence[int]) -> UsedTags:
    """How hashtags are used, and how the viewer stands to them."""
    if not tag_ids:
        return UsedTags({}, set(), set())
    return _read_tags(tag_ids, await _TAGS.ask(session, viewer=viewer, tags=list(tag_ids), since=_since()))


def _read_tags(tag_ids: Sequence[int], found: Mapping[str, Sequence[Sequence[Any]]]) -> UsedTags:
    return UsedTags(
        _count_days(tag_ids, found["uses"]),
        {row[0] for row in found["followed"]},
        {row[0] for row in found["featured"]},
    )


async def load_tag_histories(session: ReadSession, tag_ids: Sequence[int]) -> dict[int, list[TagDay]]:
    """The public uses of hashtags on each of seven days, today (UTC) first, counted over the newest 10,000 of all."""
    found = await session.all(_USES_BY_DAY, tags=list(tag_ids), since=_since()) if tag_ids else []
    return _count_days(tag_ids, found)


def _since() -> int:
    return id_at((now_ms() // DAY - _HISTORY_DAYS + 1) * DAY) - 1


def _count_days(tag_ids: Sequence[int], found: Sequence[Sequence[Any]]) -> dict[int, list[TagDay]]:
    today = now_ms() // DAY
    days = [today - back for back in range(_HISTORY_DAYS)]
    counted = {(tag_id, day): (uses, people) for tag_id, day, uses, people in found}
    return {tag_id: [TagDay(day * DAY, *counted.get((tag_id, day), (0, 0))) for day in days] for tag_id in tag_ids}


async def find_by_address(session: ReadSession, viewer: int, address: str, base: str) -> tuple[str, int] | None:
    """What is known under an address: ("status" or "account", its id), as far as the viewer may see it."""
    if address.startswith(f"{base}/"):
        return await _find_here(session, viewer, address.removeprefix(f"{base}/").rstrip("/"))
    found = await _BY_ADDRESS.ask(session, address=address, viewer=viewer)
    return next(((kind, rows[0][0]) for kind, rows in found.items() if rows), None)


async def _find_here(session: ReadSession, viewer: int, path: str) -> tuple[str, int] | None:
    parts = path.removeprefix("users/").replace("/statuses/", "/").removeprefix("@").split("/")
    if len(parts) == 1:
        username, _, domain = parts[0].lower().partition("@")
        account_id = await session.value(_BY_HANDLE, username=username, domain=domain)
        return None if account_id is None else ("account", account_id)
    number = parts[-1]
    if len(parts) != 2 or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    status_id = await session.value(_LOCAL_STATUS, id=int(number), viewer=viewer)
    return None if status_id is None else ("status", status_id)
