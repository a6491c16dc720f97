"""Reading what is talked about, as far as it may be shown."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, text

from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.statuses.models import PUBLIC, statuses
from phiomia.domain.tags.models import tags
from phiomia.domain.tags.queries import TagView
from phiomia.domain.trends.kinds import TrendKind, Verdict
from phiomia.domain.trends.models import trend_reviews, trends
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.ids import id_at, moment_of

_HISTORY_DAYS = 7
_HISTORY_USES = 10_000
_MOST = 200


class Shown(NamedTuple):
    """Which part of a list. `reviewed_only`: nothing that nobody has allowed."""

    limit: int
    offset: int
    reviewed_only: bool = False

    def parameters(self) -> dict[str, int]:
        """As the statements take it: the least verdict that is shown."""
        least = int(Verdict.ALLOWED) if self.reviewed_only else 0
        return {"limit": self.limit, "offset": self.offset, "least": least}


class LinkDay(NamedTuple):
    """How often a link was posted on a day, and by how many."""

    day: int
    uses: int
    accounts: int


class TrendView(NamedTuple):
    """What is talked about, for those who decide whether it is shown. `verdict` is 0 while nobody has."""

    kind: int
    object_id: int
    score: int
    verdict: int


_verdict: ColumnElement[int] = func.coalesce(trend_reviews.c.verdict, 0)
_reviewed = trends.outerjoin(
    trend_reviews, (trend_reviews.c.kind == trends.c.kind) & (trend_reviews.c.object_id == trends.c.object_id)
)


def _page(found: Select[tuple[int]], kind: TrendKind) -> Select[tuple[int]]:
    return (
        found.where(trends.c.kind == int(kind), _verdict >= P("least"), _verdict < int(Verdict.REJECTED))
        .order_by(trends.c.score.desc(), trends.c.object_id.desc())
        .limit(P("limit"))
        .offset(P("offset"))
    )


_TAGS = Query(
    _page(
        select(tags.c.id, tags.c.name, tags.c.display_name, tags.c.last_used_at).select_from(
            _reviewed.join(tags, tags.c.id == trends.c.object_id)
        ),
        TrendKind.TAG,
    )
)
_STATUSES = Query(
    _page(
        select(trends.c.object_id)
        .select_from(_reviewed.join(statuses, statuses.c.id == trends.c.object_id))
        .where(not_blocked_or_muted(statuses.c.account_id, P("viewer"))),
        TrendKind.STATUS,
    )
)
_LINKS = Query(_page(select(trends.c.object_id).select_from(_reviewed), TrendKind.LINK))
_USES = Query(
    select(statuses.c.card_id, statuses.c.id, statuses.c.account_id)
    .where(any_of(statuses.c.card_id, listed("ids")), statuses.c.id > P("since"), text(PUBLIC))
    .order_by(statuses.c.id.desc())
    .limit(_HISTORY_USES)
)
_ALL = Query(
    select(trends.c.kind, trends.c.object_id, trends.c.score, _verdict)
    .select_from(_reviewed)
    .where(trends.c.kind == P("of_kind"))
    .order_by(trends.c.score.desc())
    .limit(_MOST)
)


async def list_trending_tags(session: ReadSession, shown: Shown) -> list[TagView]:
    """Hashtags, the most talked about first."""
    return await session.views(TagView, _TAGS, **shown.parameters())


async def list_trending_statuses(session: ReadSession, viewer_id: int, shown: Shown) -> list[int]:
    """Posts, without those whose authors the viewer (0: nobody) does not want to meet."""
    return await session.column(_STATUSES, viewer=viewer_id, now=now_ms(), **shown.parameters())


async def list_trending_links(session: ReadSession, shown: Shown) -> list[int]:
    """The previews of links."""
    return await session.column(_LINKS, **shown.parameters())


async def list_trends(session: ReadSession, kind: TrendKind) -> list[TrendView]:
    """What is talked about, whatever was decided about it."""
    return await session.views(TrendView, _ALL, of_kind=int(kind))


async def load_link_histories(session: ReadSession, card_ids: Sequence[int]) -> dict[int, list[LinkDay]]:
    """The public uses of links on each of seven days, today (UTC) first, counted over the newest 10,000 of them all."""
    today = now_ms() // DAY * DAY
    days = [today - DAY * back for back in range(_HISTORY_DAYS)]
    uses: dict[tuple[int, int], list[int]] = {}
    for card_id, status_id, account_id in await session.all(_USES, ids=list(card_ids), since=id_at(days[-1]) - 1):
        uses.setdefault((card_id, moment_of(status_id) // DAY * DAY), []).append(account_id)
    return {
        card_id: [
            LinkDay(day, len(uses.get((card_id, day), ())), len(set(uses.get((card_id, day), ())))) for day in days
        ]
        for card_id in card_ids
    }
