"""Moderators decide what is shown as talked about."""

from sqlalchemy import select

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.models import cards, statuses
from phiomia.domain.tags.models import tags
from phiomia.domain.trends.kinds import TrendKind, Verdict
from phiomia.domain.trends.models import trend_reviews
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, put_into

_FIND = {
    kind: Query(select(table.c.id).where(table.c.id == P("object_id", int)))
    for kind, table in ((TrendKind.TAG, tags), (TrendKind.STATUS, statuses), (TrendKind.LINK, cards))
}
_PUT = put_into(trend_reviews, ["kind", "object_id"], ["verdict", "reviewed_at"])


async def review_trend(session: WriteSession, kind: TrendKind, object_id: int, verdict: Verdict) -> None:
    """Notes what was decided; it holds from now on, and in time to come. Raises NotFound."""
    if await session.value(_FIND[kind], object_id=object_id) is None:
        raise NotFound(f"There is no {kind.word} {object_id}")
    await session.execute(_PUT, kind=int(kind), object_id=object_id, verdict=int(verdict), reviewed_at=now_ms())
