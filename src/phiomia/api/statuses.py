"""Statuses: https://docs.joinmastodon.org/methods/statuses/"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from phiomia.api.account_lists import show_accounts
from phiomia.api.async_refreshes import count_thread, wish_more
from phiomia.api.composing import (
    EditParams,
    PostParams,
    check_mentions,
    complete,
    compose_draft,
    keep_for_later,
    meet_everybody,
    read_description,
    read_text,
)
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.idempotency import find_key
from phiomia.api.paging import Paging
from phiomia.api.params import Id
from phiomia.api.previews import previews_of_data
from phiomia.api.scheduled_statuses import read_moment, show_scheduled
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.bookmark import bookmark, unbookmark
from phiomia.domain.statuses.boost import boost, unboost
from phiomia.domain.statuses.change_quote_policy import change_quote_policy
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.create_once import create_status_once
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.edit import Revision, edit_status
from phiomia.domain.statuses.favourite import favourite, unfavourite
from phiomia.domain.statuses.history import load_history
from phiomia.domain.statuses.marks import MarkEntry, list_boosters, list_favouriters
from phiomia.domain.statuses.mute_conversation import mute_conversation, unmute_conversation
from phiomia.domain.statuses.pin import pin, unpin
from phiomia.domain.statuses.queries import find_rows, load_row, load_status, rows_of
from phiomia.domain.statuses.quote_policy import CHOICES
from phiomia.domain.statuses.quoted import find_quoted_url
from phiomia.domain.statuses.replies import find_home
from phiomia.domain.statuses.schedule import schedule_status
from phiomia.domain.statuses.scheduled import ScheduledParams
from phiomia.domain.statuses.thread import load_thread
from phiomia.domain.statuses.visibility import WORDS, Visibility
from phiomia.domain.statuses.whole import load_statuses
from phiomia.domain.users.preferences import load_preferences
from phiomia.entities.deleted_status import render_deleted
from phiomia.entities.status_edit import render_version
from phiomia.entities.status_source import render_source
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession, WriteSession
from phiomia.platform.paging import Page


class BatchParams(msgspec.Struct):
    """Which statuses."""

    id: list[Id] = []


class DeleteParams(msgspec.Struct):
    """Whether the files go too."""

    delete_media: bool = False


class BoostParams(msgspec.Struct):
    """Who shall see the boost."""

    visibility: Literal["public", "unlisted", "private", "direct"] | None = None


@endpoint(
    "POST",
    "/api/v1/statuses",
    scopes=("write:statuses",),
    returns="entity:Status|entity:ScheduledStatus",
    rate="statuses",
)
async def post(call: Call, params: PostParams) -> bytes:
    """Publishes a status, or keeps it until its time has come."""
    at = read_moment(params.scheduled_at) if params.scheduled_at else 0
    await meet_everybody(call, params.status)
    async with call.api.db.read() as session:
        typed = await complete(session, call, params)
        draft = await compose_draft(call, session, typed)
        if params.allowed_mentions is not None:
            await check_mentions(call, session, draft, params.allowed_mentions)
    key = find_key(call)
    if at > now_ms():
        return await _schedule(call, at, keep_for_later(params, typed, key))
    status_id = await call.api.db.write(
        lambda writing: create_status_once(writing, draft, key) if key else create_status(writing, draft)
    )
    async with call.api.db.read() as session:
        return await call.api.fragments.written(session, status_id, call.actor)


@endpoint("GET", "/api/v1/statuses", access="optional", scopes=("read:statuses",), returns="array<entity:Status>")
async def batch(call: Call, params: BatchParams) -> bytes:
    """Several statuses, in the order asked for."""
    most = limits.PAGE_STATUSES[0]
    if len(params.id) > most:
        raise ApiError(422, f"Validation failed: No more than {most} posts can be asked for")
    async with call.api.db.read() as session:
        rows = await find_rows(session, params.id, call.viewer)
        wanted = [rows[id_] for id_ in dict.fromkeys(params.id) if id_ in rows]
        return await call.api.fragments.page(session, wanted, call.viewer)


@endpoint("GET", "/api/v1/statuses/:id", access="optional", scopes=("read:statuses",), returns="entity:Status")
async def status(call: Call, params: None) -> bytes:
    """One status."""
    return await _show(call, call.id)


@endpoint("PUT", "/api/v1/statuses/:id", scopes=("write:statuses",), returns="entity:Status")
@endpoint("PATCH", "/api/v1/statuses/:id", scopes=("write:statuses",), returns="entity:Status")
async def edit(call: Call, params: EditParams) -> bytes:
    """Edits a status: what is left out is taken away, except the language."""
    status_id, links = call.id, call.api.fragments.links
    await meet_everybody(call, params.status)
    async with call.api.db.read() as session:
        before = await load_status(session, status_id, call.actor)
        if before.account_id != call.actor:
            raise NotFound
        typed = read_text(params, visibility=Visibility(before.visibility), language=before.language)
        if before.quoting:
            typed = msgspec.structs.replace(typed, quoted_url=await find_quoted_url(session, status_id, links))
        draft = await compose_draft(call, session, typed)
    given, chosen = params.media_attributes, params.quote_approval_policy
    pictures = {one.id: one.thumbnail for one in given if one.thumbnail and one.id in draft.media_ids}
    async with previews_of_data(call.api, pictures) as previews:
        revision = Revision(draft, {one.id: read_description(one, previews.get(one.id)) for one in given})

        async def write(session: WriteSession) -> None:
            await edit_status(session, call.actor, status_id, revision)
            if chosen is not None:
                await change_quote_policy(session, call.actor, status_id, CHOICES[chosen])

        await call.api.db.write(write)
    return await _show(call, status_id)


@endpoint("DELETE", "/api/v1/statuses/:id", scopes=("write:statuses",), returns="entity:DeletedStatus", rate="delete")
async def delete(call: Call, params: DeleteParams) -> dict[str, Any]:
    """Deletes a status; the answer is enough to write it anew."""
    status_id = call.id
    async with call.api.db.read() as session:
        view = (await load_statuses(session, [status_id])).get(status_id)
        if view is None or view.row.account_id != call.actor:
            raise NotFound
        shown = (await rows_of(session, [status_id], call.actor))[status_id]
        entity = await call.api.fragments.one(session, shown, call.actor)
    await call.api.db.write(
        lambda writing: delete_status(writing, call.actor, status_id, delete_media=params.delete_media)
    )
    return render_deleted(entity, view.row)


@endpoint("GET", "/api/v1/statuses/:id/context", access="optional", scopes=("read:statuses",), returns="entity:Context")
async def context(call: Call, params: None) -> bytes:
    """What the status answers, and what answers it."""
    async with call.api.db.read() as session:
        thread = await load_thread(session, call.id, call.viewer)
        shown = await call.api.fragments.by_id(session, [*thread.ancestors, *thread.descendants], call.viewer)
        home = "" if call.viewer is None else await find_home(session, call.id)
    if home:
        await wish_more(call, home, count_thread(thread))
    above, below = (
        b",".join(shown[row.id] for row in rows if row.id in shown) for rows in (thread.ancestors, thread.descendants)
    )
    return b'{"ancestors":[' + above + b'],"descendants":[' + below + b"]}"


@endpoint("GET", "/api/v1/statuses/:id/source", scopes=("read:statuses",), returns="entity:StatusSource")
async def source(call: Call, params: None) -> dict[str, str]:
    """The text as it was typed."""
    async with call.api.db.read() as session:
        return render_source(await load_status(session, call.id, call.actor))


@endpoint(
    "GET",
    "/api/v1/statuses/:id/history",
    access="optional",
    scopes=("read:statuses",),
    returns="array<entity:StatusEdit>",
)
async def history(call: Call, params: None) -> list[dict[str, Any]]:
    """Every version, the oldest first."""
    async with call.api.db.read() as session:
        found = await load_history(session, call.id, call.viewer)
        fragments = call.api.fragments
        author = found.account_id, found.account_rev
        account = (await fragments.accounts_at(session, [author]))[found.account_id]
        quote = None if found.quote is None else await fragments.quote(session, call.id, found.quote, call.viewer)
    return [render_version(version, account, quote, fragments.links) for version in found.versions]


@endpoint(
    "GET",
    "/api/v1/statuses/:id/reblogged_by",
    access="optional",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def reblogged_by(call: Call, params: Paging) -> bytes:
    """Who has boosted the status."""
    return await _show_markers(call, params, list_boosters)


@endpoint(
    "GET",
    "/api/v1/statuses/:id/favourited_by",
    access="optional",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def favourited_by(call: Call, params: Paging) -> bytes:
    """Who has favourited the status."""
    return await _show_markers(call, params, list_favouriters)


@endpoint("POST", "/api/v1/statuses/:id/favourite", scopes=("write:favourites",), returns="entity:Status")
async def do_favourite(call: Call, params: None) -> bytes:
    """Favourites a status."""
    return await _do(call, favourite)


@endpoint("POST", "/api/v1/statuses/:id/unfavourite", scopes=("write:favourites",), returns="entity:Status")
async def undo_favourite(call: Call, params: None) -> bytes:
    """Takes a favourite back."""
    return await _do(call, unfavourite)


@endpoint("POST", "/api/v1/statuses/:id/reblog", scopes=("write:statuses",), returns="entity:Status", rate="statuses")
async def do_boost(call: Call, params: BoostParams) -> bytes:
    """Boosts a status; the answer is the boost."""
    status_id = call.id
    if params.visibility is None:
        async with call.api.db.read() as session:
            chosen = Visibility((await load_preferences(session, call.actor)).visibility)
        visibility = min(chosen, Visibility.PRIVATE)
    else:
        visibility = WORDS[params.visibility]
    return await _show(call, await call.api.db.write(lambda s: boost(s, call.actor, status_id, visibility)))


@endpoint("POST", "/api/v1/statuses/:id/unreblog", scopes=("write:statuses",), returns="entity:Status", rate="delete")
async def undo_boost(call: Call, params: None) -> bytes:
    """Takes a boost back; the answer is what was boosted."""
    return await _do(call, unboost)


@endpoint("POST", "/api/v1/statuses/:id/bookmark", scopes=("write:bookmarks",), returns="entity:Status")
async def do_bookmark(call: Call, params: None) -> bytes:
    """Bookmarks a status."""
    return await _do(call, bookmark)


@endpoint("POST", "/api/v1/statuses/:id/unbookmark", scopes=("write:bookmarks",), returns="entity:Status")
async def undo_bookmark(call: Call, params: None) -> bytes:
    """Takes a bookmark away."""
    return await _do(call, unbookmark)


@endpoint("POST", "/api/v1/statuses/:id/mute", scopes=("write:mutes",), returns="entity:Status")
async def do_mute(call: Call, params: None) -> bytes:
    """Mutes the thread of a status."""
    return await _do(call, mute_conversation)


@endpoint("POST", "/api/v1/statuses/:id/unmute", scopes=("write:mutes",), returns="entity:Status")
async def undo_mute(call: Call, params: None) -> bytes:
    """Hears of the thread again."""
    return await _do(call, unmute_conversation)


@endpoint("POST", "/api/v1/statuses/:id/pin", scopes=("write:accounts",), returns="entity:Status")
async def do_pin(call: Call, params: None) -> bytes:
    """Pins one's own status to the profile."""
    return await _do(call, pin)


@endpoint("POST", "/api/v1/statuses/:id/unpin", scopes=("write:accounts",), returns="entity:Status")
async def undo_pin(call: Call, params: None) -> bytes:
    """Takes a status off the profile."""
    return await _do(call, unpin)


async def _do(call: Call, verb: Callable[[WriteSession, int, int], Awaitable[object]]) -> bytes:
    """What becomes of the status in the path when the actor does something to it."""
    status_id = call.id
    await call.api.db.write(lambda session: verb(session, call.actor, status_id))
    async with call.api.db.read() as session:
        # The verb has established that the actor sees it, or had marked it when that was so.
        rows = await rows_of(session, [status_id], call.actor)
        if status_id not in rows:
            raise NotFound
        return await call.api.fragments.one(session, rows[status_id], call.actor)


async def _show(call: Call, status_id: int) -> bytes:
    async with call.api.db.read() as session:
        row = await load_row(session, status_id, call.viewer)
        return await call.api.fragments.one(session, row, call.viewer)


async def _show_markers(
    call: Call,
    params: Paging,
    list_entries: Callable[[ReadSession, int, int | None, Page], Awaitable[list[MarkEntry]]],
) -> bytes:
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        await load_row(session, call.id, call.viewer)
        entries = await list_entries(session, call.id, call.viewer, page)
        return await show_accounts(call, session, entries, page.limit)


async def _schedule(call: Call, at: int, params: ScheduledParams) -> bytes:
    scheduled_id = await call.api.db.write(lambda session: schedule_status(session, call.actor, at, params))
    return msgspec.json.encode(await show_scheduled(call, scheduled_id))
