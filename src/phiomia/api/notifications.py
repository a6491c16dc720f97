"""Notifications: https://docs.joinmastodon.org/methods/notifications/"""

from typing import Annotated

from msgspec import Meta, Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging, link
from phiomia.api.params import Id
from phiomia.domain.notifications.clear import clear
from phiomia.domain.notifications.dismiss import dismiss
from phiomia.domain.notifications.queries import count_unread, find_notification, list_notifications
from phiomia.domain.timelines.markers import load_markers
from phiomia.entities.notification import render_notifications
from phiomia.platform import limits


class NotificationParams(Paging, kw_only=True):
    """Which notifications."""

    types: list[str] = []
    exclude_types: list[str] = []
    account_id: Id | None = None
    include_filtered: bool = False
    supported_types: list[str] = []


class SupportParams(Struct, kw_only=True):
    """Which types the app knows; of others it is told in words."""

    supported_types: list[str] = []


class UnreadParams(Struct, kw_only=True):
    """Which unread notifications to count."""

    limit: Annotated[int, Meta(ge=1)] = limits.PAGE_UNREAD[0]
    types: list[str] = []
    exclude_types: list[str] = []
    account_id: Id | None = None


@endpoint(
    "GET",
    "/api/v1/notifications",
    scopes=("read:notifications",),
    returns="array<entity:Notification>",
    paginated="link-header",
)
async def notifications(call: Call, params: NotificationParams) -> bytes:
    """What the account is told of."""
    page = params.page(limits.PAGE_NOTIFICATIONS)
    async with call.api.db.read() as session:
        rows = await list_notifications(
            session,
            call.actor,
            page,
            params.types,
            params.exclude_types,
            params.account_id,
            include_filtered=params.include_filtered,
        )
        shown = await render_notifications(
            call.api.fragments, session, rows, call.actor, supported=params.supported_types
        )
    if rows:
        link(call, rows[0].id, rows[-1].id, full=len(rows) >= page.limit)
    return b"[" + b",".join(shown) + b"]"


@endpoint("GET", "/api/v1/notifications/unread_count", scopes=("read:notifications",), returns="entity:UnreadCount")
async def unread_count(call: Call, params: UnreadParams) -> object:
    """How many came since the marker."""
    async with call.api.db.read() as session:
        marker = (await load_markers(session, call.actor, ["notifications"])).get("notifications")
        return {
            "count": await count_unread(
                session,
                call.actor,
                marker.last_read_id if marker else 0,
                min(params.limit, limits.PAGE_UNREAD[1]),
                params.types,
                params.exclude_types,
                params.account_id,
            )
        }


@endpoint("GET", "/api/v1/notifications/:id", scopes=("read:notifications",), returns="entity:Notification")
async def notification(call: Call, params: SupportParams) -> bytes:
    """One notification."""
    async with call.api.db.read() as session:
        row = await find_notification(session, call.actor, call.id)
        shown = await render_notifications(
            call.api.fragments, session, [row], call.actor, supported=params.supported_types
        )
    if not shown:
        raise ApiError(404, "Record not found")
    return shown[0]


@endpoint("POST", "/api/v1/notifications/clear", scopes=("write:notifications",), returns="empty")
async def clear_all(call: Call, params: None) -> object:
    """Forgets all notifications."""
    await call.api.db.write(lambda session: clear(session, call.actor))
    return {}


@endpoint("POST", "/api/v1/notifications/:id/dismiss", scopes=("write:notifications",), returns="empty")
async def dismiss_one(call: Call, params: None) -> object:
    """Forgets one notification."""
    notification_id = call.id
    await call.api.db.write(lambda session: dismiss(session, call.actor, notification_id))
    return {}
