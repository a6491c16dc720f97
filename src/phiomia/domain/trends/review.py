"""Moderators decide what is shown as talked about."""

from phiomia.domain.trends.kinds import TrendKind, Verdict
from phiomia.domain.trends.models import trend_reviews
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Query, WriteSession
from phiomia.platform.db.query import column_parameter

_COLUMNS = ("kind", "object_id", "verdict", "reviewed_at")
_PUT = Query(
    lambda insert: (
        insert(trend_reviews)
        .values({name: column_parameter(trend_reviews, name) for name in _COLUMNS})
        .on_conflict_do_update(
            index_elements=["kind", "object_id"],
            set_={name: column_parameter(trend_reviews, name) for name in ("verdict", "reviewed_at")},
        )
    )
)


async def review_trend(session: WriteSession, kind: TrendKind, object_id: int, verdict: Verdict) -> None:
    """Notes what was decided; it holds from now on, and in time to come."""
    await session.execute(_PUT, kind=int(kind), object_id=object_id, verdict=int(verdict), reviewed_at=now_ms())
