"""Finding accounts, statuses and hashtags. These may look at many rows: run them with `db.scan`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Integer, and_, cast, func, literal, or_, select, union
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import functions

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.queries import REVISIONS, find_by_handle
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import is_followed, not_blocked_or_muted
from phiomia.domain.relationships.models import follows
from phiomia.domain.search.models import account_search, status_search
from phiomia.domain.search.parse import parse
from phiomia.domain.search.words import Match, mark, split_words, write_match
from phiomia.domain.statuses.featured_tags import FEATURED
from phiomia.domain.statuses.lines import read_lines
from phiomia.domain.statuses.models import status_tags, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.queries import GIVEN
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.queries import FOLLOWED
from phiomia.domain.users.models import users
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.together import Together
from phiomia.platform.ids import SEQUENCE_BITS, id_at
from phiomia.platform.paging import HIGHEST_ID

_CANDIDATES = 500
_HISTORY_DAYS = 7
_HISTORY_USES = 10_000
_VIEWER = P("viewer")


class matches(functions.GenericFunction[bool]):
    """`matches(table.c.body, P("match", str))`: the index's own condition, in the language of `words.write_match`."""

    name = "matches"
    inherit_cache = True


@compiles(matches, "sqlite")
def _matches_sqlite(element: matches, compiler: Any, **kw: Any) -> str:
    body, match = element.clauses
    return f"{compiler.process(body, **kw)} MATCH {compiler.process(match, **kw)}"


@compiles(matches, "postgresql")
def _matches_postgresql(element: matches, compiler: Any, **kw: Any) -> str:
    body, match = element.clauses
    return f"{compiler.process(body, **kw)} @@ CAST({compiler.process(match, **kw)} AS tsquery)"


class unindexed(functions.GenericFunction[int]):
    """`unindexed(table.c.rowid)`: the column as it is, in a condition that PostgreSQL is not to use an index for.

    Bounds usually let everything through. PostgreSQL, which plans without knowing them, would read the whole range;
    FTS5 needs them to begin in the right place.
    """

    type = BigInteger()
    name = "unindexed"
    inherit_cache = True


@compiles(unindexed, "sqlite")
def _unindexed_sqlite(element: unindexed, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(*element.clauses, **kw))


@compiles(unindexed, "postgresql")
def _unindexed_postgresql(element: unindexed, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(*element.clauses, **kw)} + 0)"


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


class Details(NamedTuple):
    """What is shown of what was found: by id, and which of the hashtags the viewer follows and features."""

    lines: dict[int, FeedRow]
    people: dict[int, int]
    days: dict[int, list[TagDay]]
    followed: set[int]
    featured: set[int]


def day_of(id_: ColumnElement[int]) -> ColumnElement[int]:
    """The number of the day (UTC, since 1970) in which an id was made."""
    return id_.bitwise_rshift(literal(SEQUENCE_BITS)) // literal(DAY)


def _is_shown() -> ColumnElement[bool]:
    waiting = select(users.c.id).where(
        users.c.account_id == accounts.c.id, or_(users.c.confirmed_at.is_(None), users.c.approved_at.is_(None))
    )
    return and_(
        accounts.c.state != AccountState.SUSPENDED,
        accounts.c.moved_to_id.is_(None),
        ~waiting.correlate(accounts).exists(),
    )


# An alias: the conditions on visibility read the same table for themselves.
_author = accounts.alias("author")
_STATUSES = Query(
    select(status_search.c.rowid)
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
_by_words = (
    select(account_search.c.rowid)
    .where(matches(account_search.c.body, P("match", str)))
    .order_by(account_search.c.rowid.desc())
    .limit(literal(_CANDIDATES))
    .cte("by_words")
    .prefix_with("MATERIALIZED")
)
_namesake = accounts.alias("namesake")
# Where so many match that some may be missing, of those the viewer follows none should.
_followed_by_name = (
    select(follows.c.target_id)
    .join(_namesake, _namesake.c.id == follows.c.target_id)
    .where(
        select(func.count()).select_from(_by_words).scalar_subquery() == literal(_CANDIDATES),
        follows.c.account_id == _VIEWER,
        func.substr(_namesake.c.username_key, 1, cast(P("length"), Integer)) == P("name", str),
    )
    .limit(literal(_CANDIDATES))
)
_followed = is_followed(accounts.c.id, _VIEWER)
_of_handle = and_(accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str))
_exact = select(accounts.c.id).where(_of_handle, _is_shown(), or_(P("following", bool).is_(False), _followed))
_candidates = union(
    select(_by_words.c.rowid), select(_followed_by_name.subquery()), select(accounts.c.id).where(_of_handle)
).subquery()
_ranked = (
    select(accounts.c.id)
    .where(accounts.c.id.in_(select(_candidates)), _is_shown(), or_(P("following", bool).is_(False), _followed))
    .order_by(
        _followed.desc(),
        (accounts.c.username_key == P("name", str)).desc(),
        accounts.c.followers_count.desc(),
        accounts.c.id,
    )
    .limit(P("limit"))
)
# Nothing matches no words, and the index would not take that for a question.
_EXACT = Together({"exact": _exact})
_ACCOUNTS = Together({"exact": _exact, "ranked": _ranked})
_SHOWN = Query(select(accounts.c.id).where(any_of(accounts.c.id, listed("ids")), _is_shown()))
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
_DETAILS = Together(
    {
        "lines": GIVEN,
        "people": REVISIONS,
        "uses": _uses_by_day,
        "followed": FOLLOWED,
        "featured": FEATURED,
    }
)
_STATUS_BY_ADDRESS = Query(
    select(statuses.c.id).where(
        statuses.c.uri == P("address", str), statuses.c.uri != "", visible_to(statuses, _VIEWER)
    )
)
_LOCAL_STATUS = Query(
    select(statuses.c.id).where(
        statuses.c.id == P("id"), statuses.c.reblog_of_id.is_(None), visible_to(statuses, _VIEWER)
    )
)
_ACCOUNT_BY_ADDRESS = Query(
    select(accounts.c.id).where(accounts.c.uri == P("address", str), accounts.c.uri != "", _is_shown())
)


async def search_statuses(
    session: ReadSession, viewer: int, text: str, part: Part, *, home: tuple[str, ...], author: int | None = None
) -> list[int]:
    """Ids of the statuses that the viewer may find and see, newest first; `home` are the names of this server.

    Found are one's own, those one is named in or has favourited, bookmarked or boosted, and public ones of those
    who allow it.
    """
    sought = parse(text)
    if sought.empty:
        return []
    wanted, unwanted = list(sought.wanted), list(sought.unwanted)
    for handle in sought.authors:
        found = await _find_author(session, handle, viewer, home)
        if found is None:
            return []
        wanted.append((mark("a", found),))
    for handle in sought.not_authors:
        found = await _find_author(session, handle, viewer, home)
        if found is not None:
            unwanted.append((mark("a", found),))
    if author is not None:
        wanted.append((mark("a", author),))
    if not set(wanted).isdisjoint(unwanted):
        return []
    scopes = {"public": (mark("p"),), "library": (mark("a", viewer), mark("v", viewer))}
    scope = scopes.get(sought.scope) or scopes["public"] + scopes["library"]
    return await session.column(
        _STATUSES,
        match=write_match(session.dialect, Match(tuple(wanted), scope, tuple(unwanted))),
        viewer=viewer,
        now=now_ms(),
        above=max(part.above, sought.above),
        below=min(part.below, sought.below),
        limit=part.limit,
        offset=part.offset,
    )


async def search_accounts(
    session: ReadSession,
    viewer: int,
    text: str,
    *,
    home: tuple[str, ...],
    limit: int = 20,
    offset: int = 0,
    following: bool = False,
) -> list[int]:
    """Ids of accounts: the one of that handle, then those the viewer follows, then others whose names begin so."""
    handle = text.strip().removeprefix("acct:").lstrip("@")
    username, _, domain = handle.partition("@")
    name = username.lower()
    asked = {
        # No name has a space in it.
        "username": "" if " " in handle else name,
        "domain": "" if domain.lower() in home else domain.lower(),
        "viewer": viewer,
        "following": following,
    }
    match = _match_words(session.dialect, handle)
    if match is None:
        found = await _EXACT.ask(session, **asked)
    else:
        more = {"match": match, "name": name, "length": len(name), "limit": limit + offset + 1}
        found = await _ACCOUNTS.ask(session, **asked, **more)
    ids = dict.fromkeys(row[0] for row in (*found["exact"], *found.get("ranked", ())))
    return list(ids)[offset : offset + limit]


async def load_tag_histories(session: ReadSession, tag_ids: Sequence[int]) -> dict[int, list[TagDay]]:
    """The public uses of hashtags on each of seven days, today (UTC) first, counted over the newest 10,000 of all."""
    found = await session.all(_USES_BY_DAY, tags=list(tag_ids), since=_since()) if tag_ids else []
    return _count_days(tag_ids, found)


async def load_details(
    session: ReadSession, viewer: int, status_ids: Sequence[int], account_ids: Sequence[int], tag_ids: Sequence[int]
) -> Details:
    """What is shown of what was found (ids that the viewer may see), in one statement."""
    ids = list(status_ids)
    asked = {"ids": ids, "account_ids": list(account_ids), "tags": list(tag_ids)}
    found = await _DETAILS.ask(session, **asked, viewer=viewer, since=_since())
    return Details(
        read_lines(found),
        {row[0]: row[1] for row in found["people"]},
        _count_days(tag_ids, found["uses"]),
        {row[0] for row in found["followed"]},
        {row[0] for row in found["featured"]},
    )


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
    status_id = await session.value(_STATUS_BY_ADDRESS, address=address, viewer=viewer)
    if status_id is not None:
        return "status", status_id
    account_id = await session.value(_ACCOUNT_BY_ADDRESS, address=address)
    return None if account_id is None else ("account", account_id)


async def _find_here(session: ReadSession, viewer: int, path: str) -> tuple[str, int] | None:
    parts = path.removeprefix("users/").replace("/statuses/", "/").removeprefix("@").split("/")
    if len(parts) == 1:
        shown = await _find_exact(session, parts[0], ())
        return ("account", shown[0]) if shown else None
    number = parts[-1]
    if len(parts) != 2 or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    status_id = await session.value(_LOCAL_STATUS, id=int(number), viewer=viewer)
    return None if status_id is None else ("status", status_id)


def _match_words(dialect: str, text: str) -> str | None:
    chunks = [words for chunk in text.split() if (words := tuple(split_words(chunk)))]
    return write_match(dialect, Match(all_of=tuple(chunks[:10]), prefix=True)) if chunks else None


async def _find_exact(session: ReadSession, handle: str, home: tuple[str, ...]) -> Sequence[int]:
    username, _, domain = handle.partition("@")
    if not username or " " in handle:
        return []
    view = await find_by_handle(session, username, "" if domain.lower() in home else domain)
    return [] if view is None else await session.column(_SHOWN, ids=[view.id])


async def _find_author(session: ReadSession, handle: str, viewer: int, home: tuple[str, ...]) -> int | None:
    if handle == "me":
        return viewer
    username, _, domain = handle.partition("@")
    view = await find_by_handle(session, username, "" if domain.lower() in home else domain)
    return None if view is None else view.id
