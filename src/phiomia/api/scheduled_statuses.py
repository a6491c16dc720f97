"""Statuses that wait for their time: https://docs.joinmastodon.org/methods/scheduled_statuses/"""

from collections.abc import Sequence
from typing import Any

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging, link
from phiomia.domain.statuses.schedule import reschedule_status, unschedule_status
from phiomia.domain.statuses.scheduled import ScheduledView, list_scheduled, load_scheduled, load_scheduled_media
from phiomia.entities.scheduled_status import render_scheduled
from phiomia.platform import limits
from phiomia.platform.clock import parse_iso
from phiomia.platform.db import ReadSession


class TimeParams(msgspec.Struct):
    """When it shall be published."""

    scheduled_at: str | None = None


@endpoint(
    "GET",
    "/api/v1/scheduled_statuses",
    scopes=("read:statuses",),
    returns="array<entity:ScheduledStatus>",
    paginated="link-header",
)
async def scheduled_statuses(call: Call, params: Paging) -> list[dict[str, Any]]:
    """What waits, the newest first."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        views = await list_scheduled(session, call.actor, page)
        shown = await _render(call, session, views)
    if views:
        link(call, views[0].id, views[-1].id, full=len(views) >= page.limit)
    return shown


@endpoint("GET", "/api/v1/scheduled_statuses/:id", scopes=("read:statuses",), returns="entity:ScheduledStatus")
async def scheduled_status(call: Call, params: None) -> dict[str, Any]:
    """One that waits."""
    return await show_scheduled(call, call.id)


@endpoint("PUT", "/api/v1/scheduled_statuses/:id", scopes=("write:statuses",), returns="entity:ScheduledStatus")
@endpoint("PATCH", "/api/v1/scheduled_statuses/:id", scopes=("write:statuses",), returns="entity:ScheduledStatus")
async def reschedule(call: Call, params: TimeParams) -> dict[str, Any]:
    """Moves its time."""
    scheduled_id = call.id
    at = read_moment(params.scheduled_at) if params.scheduled_at else None
    await call.api.db.write(lambda session: reschedule_status(session, call.actor, scheduled_id, at))
    return await show_scheduled(call, scheduled_id)


@endpoint("DELETE", "/api/v1/scheduled_statuses/:id", scopes=("write:statuses",), returns="empty")
async def unschedule(call: Call, params: None) -> dict[str, Any]:
    """Gives it up."""
    scheduled_id = call.id
    await call.api.db.write(lambda session: unschedule_status(session, call.actor, scheduled_id))
    return {}


async def show_scheduled(call: Call, scheduled_id: int) -> dict[str, Any]:
    """One of the actor's own as an entity. Raises NotFound."""
    async with call.api.db.read() as session:
        view = await load_scheduled(session, call.actor, scheduled_id)
        return (await _render(call, session, [view]))[0]


def read_moment(text: str) -> int:
    """The moment that a parameter names. Raises ApiError 422."""
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise ApiError(
            422,
            "Validation failed: Scheduled at is no date and time",
            details={"scheduled_at": [("ERR_INVALID", "is no date and time")]},
        ) from None


async def _render(call: Call, session: ReadSession, views: Sequence[ScheduledView]) -> list[dict[str, Any]]:
    media = await load_scheduled_media(session, [view.id for view in views])
    return [render_scheduled(view, media.get(view.id, []), call.api.fragments.links) for view in views]
