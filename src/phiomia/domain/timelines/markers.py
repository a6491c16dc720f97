"""Where somebody stopped reading, so that their other devices go on from there."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import or_, select

from phiomia.domain.errors import Invalid
from phiomia.domain.timelines.models import markers
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Conflict, P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.db.query import column_parameter

TIMELINES: Final = ("home", "notifications")


class Marker(NamedTuple):
    """The last id that was read in a timeline. `version` rises with each change."""

    timeline: str
    last_read_id: int
    version: int
    updated_at: int


_COLUMNS = tuple(markers.c[name] for name in Marker._fields)
_LOAD = Query(
    select(*_COLUMNS).where(markers.c.account_id == P("account"), any_of(markers.c.timeline, listed("timelines", str)))
)
_SET = Query(
    lambda insert: _overwrite(
        insert(markers).values(
            account_id=column_parameter(markers, "account_id"),
            timeline=column_parameter(markers, "timeline"),
            last_read_id=column_parameter(markers, "last_read_id"),
            updated_at=column_parameter(markers, "updated_at"),
            version=1,
        )
    )
)


async def load_markers(
    session: ReadSession, account_id: int, timelines: Collection[str] = TIMELINES
) -> dict[str, Marker]:
    """The markers that exist, by timeline."""
    found = await session.views(Marker, _LOAD, account=account_id, timelines=list(timelines))
    return {marker.timeline: marker for marker in found}


async def set_marker(
    session: WriteSession, account_id: int, timeline: str, last_read_id: int, *, version: int | None = None
) -> None:
    """Moves the marker of a timeline. Raises Invalid (no such timeline).

    With `version`, which is the one that the caller has seen (0: none yet), raises Conflict if it was moved since.
    """
    if timeline not in TIMELINES:
        raise Invalid(f"There is no marker for {timeline!r}")
    moved = await session.execute(
        _SET,
        account_id=account_id,
        timeline=timeline,
        last_read_id=last_read_id,
        updated_at=now_ms(),
        expected=version,
    )
    if not moved:
        raise Conflict("The marker was moved meanwhile")


def _overwrite(statement: Any) -> Any:
    expected = P("expected")
    return statement.on_conflict_do_update(
        index_elements=["account_id", "timeline"],
        set_={
            "last_read_id": statement.excluded.last_read_id,
            "updated_at": statement.excluded.updated_at,
            "version": markers.c.version + 1,
        },
        where=or_(expected.is_(None), markers.c.version == expected),
    )
