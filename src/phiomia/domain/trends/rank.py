"""What is talked about more than usual: found every few minutes from what was posted in the last days.

Of hashtags and links it is counted how many different people use them in a day, against the day before; of posts how
many people boost and favourite them, less the older they are. What one person alone does never counts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, text

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.statuses.card_views import CardState
from phiomia.domain.statuses.models import PUBLIC, cards, status_tags, statuses
from phiomia.domain.trends.kinds import TrendKind
from phiomia.domain.trends.models import trends
from phiomia.platform.clock import DAY, HOUR, MINUTE, now_ms
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.ids import id_at
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic

_LEAST_PEOPLE = 2
_MOST = 200
_LOOKED_AT = 2_000
_HALF_LIFE = 6 * HOUR
_STATUS_AGE = 2 * DAY
_SCALE = 1_000
_SCAN_SECONDS = 30.0


class RankTrends(Job, frozen=True):
    """Find what is talked about."""

    TYPE = "trends.rank"
    QUEUE = "scheduled"


class Scored(NamedTuple):
    """Something with how much it is talked about."""

    object_id: int
    score: int


_public: ColumnElement[bool] = text(PUBLIC)  # type: ignore[assignment]
_author_counts = (
    select(accounts.c.id)
    .where(accounts.c.id == statuses.c.account_id, accounts.c.state == AccountState.ACTIVE)
    .correlate(statuses)
    .exists()
)
_period = and_(statuses.c.id >= P("from_id"), statuses.c.id < P("to_id"))
_people = func.count(statuses.c.account_id.distinct())


def _uses(of: ColumnElement[Any], found: Select[Any]) -> Query:
    return Query(
        found.where(_period, _public, _author_counts)
        .group_by(of)
        .having(_people >= P("least"))
        .order_by(_people.desc())
        .limit(_LOOKED_AT)
    )


_TAGS = _uses(
    status_tags.c.tag_id,
    select(status_tags.c.tag_id, _people).select_from(
        status_tags.join(statuses, statuses.c.id == status_tags.c.status_id)
    ),
)
_LINKS = _uses(
    statuses.c.card_id,
    select(statuses.c.card_id, _people)
    .select_from(statuses.join(cards, cards.c.id == statuses.c.card_id))
    .where(cards.c.state == CardState.SHOWN),
)
_STATUSES = Query(
    select(statuses.c.id, statuses.c.created_at, statuses.c.reblogs_count + statuses.c.favourites_count)
    .select_from(statuses.join(accounts, accounts.c.id == statuses.c.account_id))
    .where(
        statuses.c.id >= P("from_id"),
        _public,
        statuses.c.reblogs_count + statuses.c.favourites_count >= _LEAST_PEOPLE,
        statuses.c.sensitive.is_(False),
        statuses.c.spoiler_text == "",
        or_(
            statuses.c.in_reply_to_account_id.is_(None),
            statuses.c.in_reply_to_account_id == statuses.c.account_id,
        ),
        accounts.c.state == AccountState.ACTIVE,
        accounts.c.discoverable.is_(True),
    )
    .order_by(statuses.c.id.desc())
    .limit(_LOOKED_AT)
)
_CLEAR = Query(delete(trends).where(trends.c.kind == P("kind")))
_INSERT = insert_into(trends, "kind", "object_id", "score", "scored_at")


async def find_trends(session: ReadSession, now: int) -> dict[TrendKind, list[Scored]]:
    """Everything that is talked about at a moment, the most first. Looks through the posts of two days."""
    return {
        TrendKind.TAG: await _compare(session, _TAGS, now),
        TrendKind.LINK: await _compare(session, _LINKS, now),
        TrendKind.STATUS: await _weigh(session, now),
    }


async def store_trends(session: WriteSession, found: dict[TrendKind, list[Scored]], now: int) -> None:
    """Replaces what was found before."""
    for kind, scored in found.items():
        await session.execute(_CLEAR, kind=int(kind))
        rows = [{"kind": int(kind), "object_id": one.object_id, "score": one.score, "scored_at": now} for one in scored]
        if rows:
            await session.execute_many(_INSERT, rows)


async def run_rank_trends(context: Any, _job: RankTrends) -> None:
    """Handler of RankTrends."""
    db: Database = context.db
    now = now_ms()
    found = await db.scan(lambda session: find_trends(session, now), _SCAN_SECONDS)
    await db.write(lambda session: store_trends(session, found, now))


async def _compare(session: ReadSession, query: Query, now: int) -> list[Scored]:
    """How far the last day exceeds the one before it."""
    # An hour into the future, since clocks of other servers differ.
    today = await session.all(query, from_id=id_at(now - DAY), to_id=id_at(now + HOUR), least=_LEAST_PEOPLE)
    before = await session.all(query, from_id=id_at(now - 2 * DAY), to_id=id_at(now - DAY), least=1)
    usual = {row[0]: row[1] for row in before}
    return _best(Scored(row[0], _exceed(row[1], max(usual.get(row[0], 0), 1))) for row in today)


def _exceed(observed: int, expected: int) -> int:
    return 0 if observed <= expected else (observed - expected) ** 2 * _SCALE // expected


async def _weigh(session: ReadSession, now: int) -> list[Scored]:
    """How many like a post, halved every few hours."""
    rows = await session.all(_STATUSES, from_id=id_at(now - _STATUS_AGE))
    return _best(Scored(row[0], int(row[2] * _SCALE * 0.5 ** (max(now - row[1], 0) / _HALF_LIFE))) for row in rows)


def _best(scored: Any) -> list[Scored]:
    counted: Sequence[Scored] = [one for one in scored if one.score > 0]
    return sorted(counted, key=lambda one: (-one.score, -one.object_id))[:_MOST]


HANDLERS = (Handler(RankTrends, run_rank_trends),)
PERIODIC = (Periodic("trends.rank", 5 * MINUTE, RankTrends),)
