"""Search: https://docs.joinmastodon.org/methods/search/, accounts/search, and single hashtags."""

import re
from typing import Literal, NamedTuple

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.params import Id
from phiomia.domain.search.queries import (
    Part,
    TagDay,
    find_by_address,
    load_details,
    load_tag_histories,
    search_accounts,
    search_statuses,
)
from phiomia.domain.statuses.featured_tags import find_featured_tags
from phiomia.domain.statuses.queries import find_rows
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import TagView, find_followed_tags, find_tag, find_tags_by_prefix
from phiomia.entities.search import splice_search
from phiomia.entities.tag import render_tag
from phiomia.platform import limits
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import ReadSession
from phiomia.platform.paging import HIGHEST_ID

_SECONDS = 1.0
_LARGEST_OFFSET = 400
_HANDLE = re.compile(r"@?[^@\s/]+@([^@\s/]+)")


class SearchParams(msgspec.Struct, kw_only=True):
    """What to look for."""

    q: str = ""
    type: Literal["accounts", "hashtags", "statuses"] | None = None
    resolve: bool = False
    following: bool = False
    account_id: Id | None = None
    exclude_unreviewed: bool = False
    max_id: Id | None = None
    min_id: Id | None = None
    limit: int | None = None
    offset: int | None = None


class AccountSearchParams(msgspec.Struct, kw_only=True):
    """Which accounts to look for."""

    q: str = ""
    resolve: bool = False
    following: bool = False
    limit: int | None = None
    offset: int | None = None


class _Found(NamedTuple):
    accounts: list[int]
    statuses: list[int]
    tags: list[TagView]


@endpoint(
    "GET",
    "/api/v2/search",
    access="optional",
    scopes=("read:search",),
    returns="entity:Search",
    paginated="offset",
)
async def search(call: Call, params: SearchParams) -> bytes:
    """Accounts, statuses and hashtags."""
    text = _asked(params.q)
    if call.viewer is None and params.offset:
        raise ApiError(401, "Sign in to see further results")
    if call.viewer is None and params.resolve:
        raise ApiError(401, "Sign in to look for things on other servers")
    found = await call.api.db.scan(lambda session: _find(session, call, text, params), _SECONDS)
    if params.resolve:
        found = await _resolve(call, text, params, found)
    async with call.api.db.read() as session:
        ids = [tag.id for tag in found.tags]
        shown = await load_details(session, call.viewer or 0, found.statuses, found.accounts, ids)
        rows = [shown.lines[id_] for id_ in found.statuses if id_ in shown.lines]
        posts, accounts = await call.api.fragments.with_people(session, rows, call.viewer, shown.people)
    statuses = b"[" + b",".join(posts[row.id] for row in rows if row.id in posts) + b"]"
    links = call.api.fragments.links
    tags = [
        render_tag(
            tag,
            shown.days[tag.id],
            links,
            following=None if call.viewer is None else tag.id in shown.followed,
            featuring=None if call.viewer is None else tag.id in shown.featured,
        )
        for tag in found.tags
    ]
    return splice_search((accounts[id_] for id_ in found.accounts if id_ in accounts), statuses, tags)


@endpoint(
    "GET",
    "/api/v1/accounts/search",
    scopes=("read:accounts",),
    returns="array<entity:Account>",
    paginated="offset",
)
async def search_for_accounts(call: Call, params: AccountSearchParams) -> bytes:
    """Accounts by name."""
    text = _asked(params.q)
    limit, offset = _page(params.limit, params.offset, limits.PAGE_ACCOUNTS)
    if params.resolve and not offset:
        await _find_account_elsewhere(call, text)
    ids = await call.api.db.scan(
        lambda session: search_accounts(
            session,
            call.actor,
            text,
            home=_home(call),
            limit=limit,
            offset=offset,
            following=params.following,
        ),
        _SECONDS,
    )
    async with call.api.db.read() as session:
        found = await call.api.fragments.accounts(session, ids)
    return b"[" + b",".join(found[id_] for id_ in ids if id_ in found) + b"]"


@endpoint("GET", "/api/v1/tags/:name", access="optional", returns="entity:Tag")
async def tag(call: Call, params: None) -> object:
    """One hashtag; also one that nobody has used yet."""
    name = call.path["name"]
    if not is_valid_tag(name):
        raise ApiError(404, "Record not found")
    view, days = await call.api.db.scan(lambda session: _load_tag(session, name), _SECONDS)
    async with call.api.db.read() as session:
        followed = await _followed(session, call, [view.id])
        featured = await _featured(session, call, [view.id])
    following = None if followed is None else view.id in followed
    featuring = None if featured is None else view.id in featured
    return render_tag(view, days, call.api.fragments.links, following=following, featuring=featuring)


async def _find(session: ReadSession, call: Call, text: str, params: SearchParams) -> _Found:
    limit, offset = _page(params.limit, params.offset if params.type else 0, limits.PAGE_SEARCH)
    if text.startswith(("https://", "http://")):
        return await _find_address(session, call, text, params.type)
    viewer, home = call.viewer or 0, _home(call)
    accounts, statuses, tags = [], [], []
    if params.type in (None, "accounts") and not text.startswith("#"):
        accounts = await search_accounts(
            session, viewer, text, home=home, limit=limit, offset=offset, following=params.following
        )
    if params.type in (None, "statuses") and viewer and not text.startswith("@"):
        below = HIGHEST_ID if params.max_id is None else params.max_id
        part = Part(limit, offset, params.min_id or 0, below)
        statuses = await search_statuses(session, viewer, text, part, home=home, author=params.account_id)
    if params.type in (None, "hashtags") and not text.startswith("@"):
        tags = await _find_tags(session, text, limit, offset)
    return _Found(accounts, statuses, tags)


async def _find_address(session: ReadSession, call: Call, text: str, kind: str | None) -> _Found:
    found = await find_by_address(session, call.viewer or 0, text, call.api.config.base_url)
    if found is None:
        return _Found([], [], [])
    if found[0] == "status":
        return _Found([], [found[1]] if kind in (None, "statuses") else [], [])
    return _Found([found[1]] if kind in (None, "accounts") else [], [], [])


async def _resolve(call: Call, text: str, params: SearchParams, found: _Found) -> _Found:
    """What was found, and what another server knows of the handle or address that was asked for."""
    if params.offset:
        return found
    if text.startswith(("https://", "http://")):
        if found.accounts or found.statuses or text.startswith(f"{call.api.config.base_url}/"):
            return found
        there = await call.api.lookup.address(text)
        if there is None:
            return found
        kind, id_ = there
        if kind == "account":
            return found._replace(accounts=[id_] if params.type in (None, "accounts") else [])
        async with call.api.db.read() as session:
            visible = await find_rows(session, [id_], call.viewer)
        return found._replace(statuses=[id_] if visible and params.type in (None, "statuses") else [])
    if params.type not in (None, "accounts"):
        return found
    account_id = await _find_account_elsewhere(call, text)
    if account_id is None or account_id in found.accounts:
        return found
    return found._replace(accounts=[account_id, *found.accounts])


async def _find_account_elsewhere(call: Call, text: str) -> int | None:
    match = _HANDLE.fullmatch(text)
    if match is None or match[1].lower() in _home(call):
        return None
    return await call.api.lookup.account(text.removeprefix("@"))


async def _find_tags(session: ReadSession, text: str, limit: int, offset: int) -> list[TagView]:
    key = normalise_tag(text.removeprefix("#"))
    if not key or " " in text.strip():
        return []
    return (await find_tags_by_prefix(session, key))[offset : offset + limit]


async def _load_tag(session: ReadSession, name: str) -> tuple[TagView, list[TagDay]]:
    view = await find_tag(session, normalise_tag(name))
    if view is not None:
        return view, (await load_tag_histories(session, [view.id]))[view.id]
    today = now_ms() // DAY * DAY
    return TagView(0, normalise_tag(name), name, None), [TagDay(today - DAY * back, 0, 0) for back in range(7)]


async def _followed(session: ReadSession, call: Call, tag_ids: list[int]) -> set[int] | None:
    return None if call.viewer is None else await find_followed_tags(session, call.viewer, tag_ids)


async def _featured(session: ReadSession, call: Call, tag_ids: list[int]) -> set[int] | None:
    return None if call.viewer is None else await find_featured_tags(session, call.viewer, tag_ids)


def _asked(text: str) -> str:
    text = text.strip()
    if not text:
        raise ApiError(400, "The parameter q is missing or empty")
    return text[: limits.SEARCH_QUERY] if "://" not in text else text[:2_048]


def _page(limit: int | None, offset: int | None, sizes: tuple[int, int]) -> tuple[int, int]:
    if (limit or 0) < 0 or (offset or 0) < 0:
        raise ApiError(400, "limit and offset must not be negative")
    usual, most = sizes
    return min(usual if limit is None else limit, most), min(offset or 0, _LARGEST_OFFSET)


def _home(call: Call) -> tuple[str, ...]:
    return "", call.api.config.domain.lower(), call.api.config.web_domain.lower()
