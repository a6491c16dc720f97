"""Lists: https://docs.joinmastodon.org/methods/lists/"""

from typing import Literal

from msgspec import Struct

from phiomia.api.account_lists import show_accounts
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging
from phiomia.api.params import Id
from phiomia.api.timelines import show
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.relationships.lists import (
    RepliesPolicy,
    add_to_list,
    create_list,
    delete_list,
    list_members,
    load_list,
    load_lists,
    load_lists_with,
    remove_from_list,
    update_list,
)
from phiomia.domain.timelines.list import load_list_timeline
from phiomia.entities.list import render_list
from phiomia.platform import limits

Policy = Literal["followed", "list", "none"]


class NewList(Struct, kw_only=True):
    """A list to be made."""

    title: str
    replies_policy: Policy = "list"
    exclusive: bool = False


class ListChange(Struct, kw_only=True):
    """What shall be different."""

    title: str | None = None
    replies_policy: Policy | None = None
    exclusive: bool | None = None


class Members(Struct, kw_only=True):
    """Accounts to put in or take out."""

    account_ids: list[Id]


@endpoint("GET", "/api/v1/lists", scopes=("read:lists",), returns="array<entity:List>")
async def lists(call: Call, params: None) -> object:
    """The account's lists."""
    async with call.api.db.read() as session:
        return [render_list(view) for view in await load_lists(session, call.actor)]


@endpoint("POST", "/api/v1/lists", scopes=("write:lists",), returns="entity:List")
async def create(call: Call, params: NewList) -> object:
    """Makes a list."""
    policy = RepliesPolicy[params.replies_policy.upper()]
    list_id = await call.api.db.write(
        lambda session: create_list(session, call.actor, params.title, policy, params.exclusive)
    )
    return await _show(call, list_id)


@endpoint("GET", "/api/v1/lists/:id", scopes=("read:lists",), returns="entity:List")
async def one(call: Call, params: None) -> object:
    """One list."""
    return await _show(call, call.id)


@endpoint("PATCH", "/api/v1/lists/:id", scopes=("write:lists",), returns="entity:List")
@endpoint("PUT", "/api/v1/lists/:id", scopes=("write:lists",), returns="entity:List")
async def update(call: Call, params: ListChange) -> object:
    """Changes a list."""
    list_id = call.id
    policy = RepliesPolicy[params.replies_policy.upper()] if params.replies_policy else None
    await call.api.db.write(
        lambda session: update_list(session, call.actor, list_id, params.title, policy, params.exclusive)
    )
    return await _show(call, list_id)


@endpoint("DELETE", "/api/v1/lists/:id", scopes=("write:lists",), returns="empty")
async def delete(call: Call, params: None) -> object:
    """Removes a list."""
    list_id = call.id
    await call.api.db.write(lambda session: delete_list(session, call.actor, list_id))
    return {}


@endpoint(
    "GET",
    "/api/v1/lists/:id/accounts",
    scopes=("read:lists",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def members(call: Call, params: Paging) -> bytes:
    """Who is in a list; with limit=0 all of them."""
    page = params.page_or_all(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        view = await load_list(session, call.actor, call.id)
        return await show_accounts(call, session, await list_members(session, view.id, page), page.limit)


@endpoint("POST", "/api/v1/lists/:id/accounts", scopes=("write:lists",), returns="empty")
async def add(call: Call, params: Members) -> object:
    """Puts followed accounts into a list."""
    list_id = call.id
    await call.api.db.write(lambda session: add_to_list(session, call.actor, list_id, params.account_ids))
    return {}


@endpoint("DELETE", "/api/v1/lists/:id/accounts", scopes=("write:lists",), returns="empty")
async def remove(call: Call, params: Members) -> object:
    """Takes accounts out of a list."""
    list_id = call.id
    await call.api.db.write(lambda session: remove_from_list(session, call.actor, list_id, params.account_ids))
    return {}


@endpoint("GET", "/api/v1/accounts/:id/lists", scopes=("read:lists",), returns="array<entity:List>")
async def lists_with(call: Call, params: None) -> object:
    """The account's lists that hold somebody."""
    async with call.api.db.read() as session:
        views = await load_lists_with(session, call.actor, call.id)
        if not views:
            await load_account(session, call.id)
    return [render_list(view) for view in views]


@endpoint(
    "GET",
    "/api/v1/timelines/list/:list_id",
    scopes=("read:lists",),
    returns="array<entity:Status>",
    paginated="link-header",
)
async def timeline(call: Call, params: Paging) -> bytes:
    """Statuses of a list's members."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        view = await load_list(session, call.actor, call.path_id("list_id"))
        return await show(call, session, await load_list_timeline(session, call.actor, view.id, page), page.limit)


async def _show(call: Call, list_id: int) -> object:
    async with call.api.db.read() as session:
        return render_list(await load_list(session, call.actor, list_id))
