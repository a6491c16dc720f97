"""Grouped notifications: https://docs.joinmastodon.org/methods/grouped_notifications/"""

from typing import Literal

from msgspec import field

from phiomia.api.account_lists import show_accounts
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.notifications import NotificationParams, SupportParams, UnreadParams, find_last_read
from phiomia.api.paging import Paging, link
from phiomia.domain.notifications.clear import clear
from phiomia.domain.notifications.dismiss import dismiss, dismiss_group
from phiomia.domain.notifications.queries import (
    GROUPED,
    count_unread_groups,
    find_group,
    list_group,
    list_groups,
    single_of,
)
from phiomia.domain.relationships.views import Entry
from phiomia.entities.notification_groups import render_groups
from phiomia.platform import limits


class GroupParams(NotificationParams, kw_only=True):
    """Which notifications, and how to group them."""

    expand_accounts: Literal["full", "partial_avatars"] = "full"
    grouped_types: list[str] = field(default_factory=lambda: list(GROUPED))


class UnreadGroupParams(UnreadParams, kw_only=True):
    """Which unread groups to count."""

    grouped_types: list[str] = field(default_factory=lambda: list(GROUPED))


@endpoint(
    "GET",
    "/api/v2/notifications",
    scopes=("read:notifications",),
    returns="entity:GroupedNotificationsResults",
    paginated="link-header",
)
async def groups(call: Call, params: GroupParams) -> bytes:
    """What the account is told of, in groups."""
    page = params.page(limits.PAGE_NOTIFICATIONS)
    async with call.api.db.read() as session:
        found = await list_groups(session, call.actor, page, params.wanted, params.grouped_types)
        if found:
            link(call, found[0].newest.id, found[-1].newest.id, full=len(found) >= page.limit)
        partial = params.expand_accounts == "partial_avatars"
        return await render_groups(
            call.api.fragments, session, found, call.actor, partial=partial, supported=params.supported_types
        )


@endpoint("GET", "/api/v2/notifications/unread_count", scopes=("read:notifications",), returns="entity:UnreadCount")
async def unread_groups(call: Call, params: UnreadGroupParams) -> object:
    """How many groups have something that came since the marker."""
    async with call.api.db.read() as session:
        last_read = await find_last_read(session, call.actor)
        count = await count_unread_groups(
            session,
            call.actor,
            last_read,
            params.most(limits.PAGE_UNREAD),
            params.wanted,
            grouped_types=params.grouped_types,
        )
    return {"count": count}


@endpoint(
    "GET",
    "/api/v2/notifications/:group_key",
    scopes=("read:notifications",),
    returns="entity:GroupedNotificationsResults",
)
async def group(call: Call, params: SupportParams) -> bytes:
    """One group."""
    async with call.api.db.read() as session:
        found = await find_group(session, call.actor, call.path["group_key"])
        return await render_groups(call.api.fragments, session, [found], call.actor, supported=params.supported_types)


@endpoint(
    "GET",
    "/api/v2/notifications/:group_key/accounts",
    scopes=("read:notifications",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def group_accounts(call: Call, params: Paging) -> bytes:
    """From whom the notifications of a group are."""
    page, key = params.page(limits.PAGE_ACCOUNTS), call.path["group_key"]
    async with call.api.db.read() as session:
        if single_of(key) is None:
            rows = await list_group(session, call.actor, key, page)
        else:
            rows = (await find_group(session, call.actor, key)).rows
        entries = [Entry(row.id, row.from_account_id) for row in rows]
        return await show_accounts(call, session, entries, page.limit)


@endpoint("POST", "/api/v2/notifications/clear", scopes=("write:notifications",), returns="empty")
async def clear_groups(call: Call, params: None) -> object:
    """Forgets all notifications."""
    await call.api.db.write(lambda session: clear(session, call.actor))
    return {}


@endpoint("POST", "/api/v2/notifications/:group_key/dismiss", scopes=("write:notifications",), returns="empty")
async def dismiss_whole_group(call: Call, params: None) -> object:
    """Forgets a group."""
    key = call.path["group_key"]
    single = single_of(key)
    if single is None:
        await call.api.db.write(lambda session: dismiss_group(session, call.actor, key))
    else:
        await call.api.db.write(lambda session: dismiss(session, call.actor, single))
    return {}
