"""Accounts: https://docs.joinmastodon.org/methods/accounts/ (sign-up and update stand beside)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from phiomia.api.account_lists import show_accounts
from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.paging import Paging
from phiomia.api.params import Id
from phiomia.api.timelines import show
from phiomia.domain.accounts.queries import find_by_handle, load_account
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import Invalid
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.endorse import endorse, unendorse
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.mute import mute
from phiomia.domain.relationships.note import write_note
from phiomia.domain.relationships.queries import list_followers, list_following, load_relationships
from phiomia.domain.relationships.remove_from_followers import remove_from_followers
from phiomia.domain.relationships.unblock import unblock
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.relationships.unmute import unmute
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.domain.timelines.account import load_account_statuses
from phiomia.entities.relationship import render_relationship
from phiomia.platform import limits
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.languages import clean_language


class Ids(msgspec.Struct, kw_only=True):
    """Several ids at once."""

    id: list[Id] = []
    with_suspended: bool = False


class Lookup(msgspec.Struct):
    """A handle."""

    acct: str


class StatusesParams(Paging, kw_only=True):
    """Parameters of an account's statuses."""

    only_media: bool = False
    exclude_replies: bool = False
    exclude_reblogs: bool = False
    exclude_direct: bool = False
    pinned: bool = False
    tagged: str | None = None


class FollowParams(msgspec.Struct, kw_only=True):
    """How to follow."""

    reblogs: bool | None = None
    notify: bool | None = None
    languages: list[str] | None = None


class MuteParams(msgspec.Struct, kw_only=True):
    """How to mute; `duration` in seconds, 0 for ever."""

    notifications: bool = True
    duration: Annotated[int, Meta(ge=0, le=10 * 365 * 24 * 3600)] = 0


class NoteParams(msgspec.Struct, kw_only=True):
    """A private note."""

    comment: Annotated[str, Meta(max_length=2_000)] = ""


@endpoint("GET", "/api/v1/accounts", access="optional", scopes=("read:accounts",), returns="array<entity:Account>")
async def accounts(call: Call, params: Ids) -> bytes:
    """Several accounts."""
    async with call.api.db.read() as session:
        found = await call.api.fragments.accounts(session, params.id[: limits.PAGE_ACCOUNTS[1]])
    return b"[" + b",".join(found[id_] for id_ in dict.fromkeys(params.id) if id_ in found) + b"]"


@endpoint("GET", "/api/v1/accounts/lookup", access="optional", scopes=("read:accounts",), returns="entity:Account")
async def lookup(call: Call, params: Lookup) -> bytes:
    """The account of a handle that is known here."""
    username, _, domain = params.acct.strip().lstrip("@").partition("@")
    if domain.lower() in (call.api.config.domain.lower(), call.api.config.web_domain.lower()):
        domain = ""
    async with call.api.db.read() as session:
        view = await find_by_handle(session, username, domain)
        if view is None:
            raise ApiError(404, "Record not found")
        return await call.api.fragments.account(session, view)


@endpoint(
    "GET",
    "/api/v1/accounts/relationships",
    scopes=("read:follows",),
    returns="array<entity:Relationship>",
)
async def relationships(call: Call, params: Ids) -> object:
    """What holds between the viewer and several accounts."""
    async with call.api.db.read() as session:
        views = await load_relationships(session, call.actor, params.id[: limits.PAGE_ACCOUNTS[1]])
    return [render_relationship(view) for view in views]


@endpoint("GET", "/api/v1/accounts/:id", access="optional", scopes=("read:accounts",), returns="entity:Account")
async def account(call: Call, params: None) -> bytes:
    """One account."""
    async with call.api.db.read() as session:
        return await call.api.fragments.account(session, await load_account(session, call.id))


@endpoint(
    "GET",
    "/api/v1/accounts/:id/statuses",
    access="optional",
    scopes=("read:statuses",),
    returns="array<entity:Status>",
    paginated="link-header",
)
async def statuses(call: Call, params: StatusesParams) -> bytes:
    """An account's statuses, as the viewer may see them."""
    page = params.page(limits.PAGE_STATUSES)
    tag = normalise_tag(params.tagged) if params.tagged else None
    async with call.api.db.read() as session:
        if (await load_account(session, call.id)).state == AccountState.SUSPENDED:
            return b"[]"  # apps say why from the account itself
        rows = await load_account_statuses(
            session,
            call.viewer,
            call.id,
            page,
            only_media=params.only_media,
            exclude_replies=params.exclude_replies,
            exclude_boosts=params.exclude_reblogs,
            exclude_direct=params.exclude_direct,
            pinned=params.pinned,
            tag=tag,
        )
        return await show(call, session, rows, page.limit)


@endpoint(
    "GET",
    "/api/v1/accounts/:id/followers",
    access="optional",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def followers(call: Call, params: Paging) -> bytes:
    """Who follows the account."""
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        view = await load_account(session, call.id)
        entries = [] if _hides_lists(call, view) else await list_followers(session, view.id, page, call.viewer or 0)
        return await show_accounts(call, session, entries, page.limit)


@endpoint(
    "GET",
    "/api/v1/accounts/:id/following",
    access="optional",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="link-header",
)
async def following(call: Call, params: Paging) -> bytes:
    """Whom the account follows."""
    page = params.page(limits.PAGE_ACCOUNTS)
    async with call.api.db.read() as session:
        view = await load_account(session, call.id)
        entries = [] if _hides_lists(call, view) else await list_following(session, view.id, page, call.viewer or 0)
        return await show_accounts(call, session, entries, page.limit)


@endpoint(
    "POST",
    "/api/v1/accounts/:id/follow",
    scopes=("write:follows", "follow"),
    returns="entity:Relationship",
    rate="follows",
)
async def follow_account(call: Call, params: FollowParams) -> object:
    """Follows an account, or changes how it is followed."""
    target = call.id
    languages = None if params.languages is None else _read_languages(params.languages)
    await call.api.db.write(
        lambda session: follow(
            session,
            call.actor,
            target,
            reblogs=params.reblogs,
            notify=params.notify,
            languages=languages,
        )
    )
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/unfollow", scopes=("write:follows", "follow"), returns="entity:Relationship")
async def unfollow_account(call: Call, params: None) -> object:
    """Ends a follow or withdraws a request."""
    target = await _existing(call)
    await call.api.db.write(lambda session: unfollow(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint(
    "POST",
    "/api/v1/accounts/:id/remove_from_followers",
    scopes=("write:follows", "follow"),
    returns="entity:Relationship",
)
async def remove_follower(call: Call, params: None) -> object:
    """Ends the other's follow."""
    target = await _existing(call)
    await call.api.db.write(lambda session: remove_from_followers(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/block", scopes=("write:blocks", "follow"), returns="entity:Relationship")
async def block_account(call: Call, params: None) -> object:
    """Blocks an account."""
    target = await _existing(call)
    await call.api.db.write(lambda session: block(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/unblock", scopes=("write:blocks", "follow"), returns="entity:Relationship")
async def unblock_account(call: Call, params: None) -> object:
    """Ends a block."""
    target = await _existing(call)
    await call.api.db.write(lambda session: unblock(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/mute", scopes=("write:mutes", "follow"), returns="entity:Relationship")
async def mute_account(call: Call, params: MuteParams) -> object:
    """Mutes an account, for a time or for ever."""
    target = await _existing(call)
    until = now_ms() + params.duration * SECOND if params.duration else None
    await call.api.db.write(
        lambda session: mute(session, call.actor, target, hide_notifications=params.notifications, expires_at=until)
    )
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/unmute", scopes=("write:mutes", "follow"), returns="entity:Relationship")
async def unmute_account(call: Call, params: None) -> object:
    """Ends a mute."""
    target = await _existing(call)
    await call.api.db.write(lambda session: unmute(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/endorse", scopes=("write:accounts",), returns="entity:Relationship")
async def endorse_account(call: Call, params: None) -> object:
    """Features an account on the own profile."""
    target = await _existing(call)
    await call.api.db.write(lambda session: endorse(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/unendorse", scopes=("write:accounts",), returns="entity:Relationship")
async def unendorse_account(call: Call, params: None) -> object:
    """No longer features an account."""
    target = await _existing(call)
    await call.api.db.write(lambda session: unendorse(session, call.actor, target))
    return await show_relationship(call, target)


@endpoint("POST", "/api/v1/accounts/:id/note", scopes=("write:accounts",), returns="entity:Relationship")
async def note_account(call: Call, params: NoteParams) -> object:
    """Keeps a private note about an account."""
    target = await _existing(call)
    await call.api.db.write(lambda session: write_note(session, call.actor, target, params.comment))
    return await show_relationship(call, target)


async def show_relationship(call: Call, target: int) -> object:
    """The Relationship after a change."""
    async with call.api.db.read() as session:
        views = await load_relationships(session, call.actor, [target])
    return render_relationship(views[0])


def _read_languages(given: list[str]) -> list[str]:
    """The languages in which somebody is followed, as posts name theirs. Raises Invalid."""
    known = {code: clean_language(code) for code in given if code}
    if None in known.values():
        raise Invalid("Validation failed: Languages is invalid", {"languages": [("ERR_INVALID", "is invalid")]})
    return [code for code in dict.fromkeys(known.values()) if code]


async def _existing(call: Call) -> int:
    async with call.api.db.read() as session:
        return (await load_account(session, call.id)).id


def _hides_lists(call: Call, view: AccountView) -> bool:
    return view.state == AccountState.SUSPENDED or (bool(view.hide_collections) and call.viewer != view.id)
