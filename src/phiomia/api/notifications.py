"""Notifications: https://docs.joinmastodon.org/methods/notifications/"""

from typing import Annotated

from msgspec import Meta, Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging, link
from phiomia.api.params import Id
from phiomia.domain.notifications.clear import clear
from phiomia.domain.notifications.dismiss import dismiss
from phiomia.domain.notifications.queries import Selection, count_unread, find_notification, list_notifications
from phiomia.domain.timelines.markers import load_markers
from phiomia.entities.notification import render_notifications
from phiomia.platform import limits
from phiomia.platform.db import ReadSession


class NotificationParams(Paging, kw_only=True):
    """Which notifications."""

    types: list[str] = []
    exclude_types: list[str] = []
    account_id: Id | None = None
    include_filtered: bool = False
    supported_types: list[str] = []

    @property
    def wanted(self) -> Selection:
        """What is asked for, as the domain takes it."""
        return Selection(self.types, self.exclude_types, self.account_id, self.include_filtered)


class SupportParams(Struct, kw_only=True):
    """Which types the app knows; of others it is told in words."""

    supported_types: list[str] = []


class UnreadParams(Struct, kw_only=True):
    """Which unread notifications to count."""

    limit: Annotated[int, Meta(ge=1)] | None = None
    types: list[str] = []
    exclude_types: list[str] = []
    account_id: Id | None = None

    @property
    def wanted(self) -> Selection:
        """What is asked for, as the domain takes it."""
        return Selection(self.types, self.exclude_types, self.account_id)

    def most(self, sizes: tuple[int, int]) -> int:
        """Where counting ends."""
        return min(sizes[0] if self.limit is None else self.limit, sizes[1])


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
        rows = await list_notifications(session, call.actor, page, params.wanted)
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
        last_read = await find_last_read(session, call.actor)
        return {
            "count": await count_unread(session, call.actor, last_read, params.most(limits.PAGE_UNREAD), params.wanted)
        }


async def find_last_read(session: ReadSession, account_id: int) -> int:
    """The id of the newest notification that somebody has seen; 0 for none."""
    marker = (await load_markers(session, account_id, ["notifications"])).get("notifications")
    return marker.last_read_id if marker else 0


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
