"""Senders who wait: https://docs.joinmastodon.org/methods/notifications/#get-requests"""

from typing import Annotated

import msgspec
from msgspec import Meta

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging, link
from phiomia.api.params import Id
from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.requests import (
    accept_requests,
    dismiss_requests,
    find_request,
    is_merged,
    list_requests,
)
from phiomia.entities.notification_request import render_requests
from phiomia.platform import limits
from phiomia.platform.db import WriteSession


class RequestsParams(msgspec.Struct, kw_only=True):
    """Which of them."""

    id: Annotated[list[Id], Meta(max_length=1_000)] = []


@endpoint(
    "GET",
    "/api/v1/notifications/requests",
    scopes=("read:notifications",),
    returns="array<entity:NotificationRequest>",
    paginated="link-header",
)
async def requests(call: Call, params: Paging) -> bytes:
    """Who waits until the account lets them through."""
    page = params.page(limits.PAGE_NOTIFICATIONS)
    async with call.api.db.read() as session:
        views = await list_requests(session, call.actor, page)
        shown = await render_requests(call.api.fragments, session, views, call.actor)
    if views:
        link(call, views[0].id, views[-1].id, full=len(views) >= page.limit)
    return b"[" + b",".join(shown) + b"]"


@endpoint("GET", "/api/v1/notifications/requests/merged", scopes=("write:notifications",), returns="entity:MergedState")
async def merged(call: Call, params: None) -> object:
    """Whether what was let through stands among the other notifications."""
    async with call.api.db.read() as session:
        return {"merged": await is_merged(session, call.actor)}


@endpoint(
    "GET", "/api/v1/notifications/requests/:id", scopes=("read:notifications",), returns="entity:NotificationRequest"
)
async def request(call: Call, params: None) -> bytes:
    """One who waits."""
    async with call.api.db.read() as session:
        view = await find_request(session, call.actor, call.id)
        shown = await render_requests(call.api.fragments, session, [view], call.actor)
    if not shown:
        raise ApiError(404, "Record not found")
    return shown[0]


@endpoint("POST", "/api/v1/notifications/requests/accept", scopes=("write:notifications",), returns="empty")
async def accept_many(call: Call, params: RequestsParams) -> object:
    """Lets several senders through."""
    await call.api.db.write(lambda session: accept_requests(session, call.actor, params.id))
    return {}


@endpoint("POST", "/api/v1/notifications/requests/dismiss", scopes=("write:notifications",), returns="empty")
async def dismiss_many(call: Call, params: RequestsParams) -> object:
    """Sends several senders away."""
    await call.api.db.write(lambda session: dismiss_requests(session, call.actor, params.id))
    return {}


@endpoint("POST", "/api/v1/notifications/requests/:id/accept", scopes=("write:notifications",), returns="empty")
async def accept_one(call: Call, params: None) -> object:
    """Lets a sender through."""
    request_id = call.id

    async def accept(session: WriteSession) -> None:
        if not await accept_requests(session, call.actor, [request_id]):
            raise NotFound()

    await call.api.db.write(accept)
    return {}


@endpoint("POST", "/api/v1/notifications/requests/:id/dismiss", scopes=("write:notifications",), returns="empty")
async def dismiss_one(call: Call, params: None) -> object:
    """Sends a sender away."""
    request_id = call.id

    async def dismiss(session: WriteSession) -> None:
        if not await dismiss_requests(session, call.actor, [request_id]):
            raise NotFound()

    await call.api.db.write(dismiss)
    return {}
