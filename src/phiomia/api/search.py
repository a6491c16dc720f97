"""Search: https://docs.joinmastodon.org/methods/search/, accounts/search, and single hashtags."""

import re
from typing import Literal, NamedTuple

import msgspec

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.params import Id
from phiomia.domain.accounts.queries import load_revisions
from phiomia.domain.search.names import Asked, find_names
from phiomia.domain.search.parse import Sought, parse
from phiomia.domain.search.queries import (
    Part,
    TagDay,
    UsedTags,
    find_by_address,
    load_tag_histories,
    load_used_tags,
    match_statuses,
    search_statuses,
)
from phiomia.domain.statuses.featured_tags import find_featured_tags
from phiomia.domain.statuses.queries import find_rows
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import TagView, find_followed_tags, find_tag
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
    accounts: dict[int, int]  # with their revisions
    statuses: list[FeedRow]
    tags: list[TagView]
    used: UsedTags


_NOTHING = _Found({}, [], [], UsedTags({}, set(), set()))


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
        posts, accounts = await call.api.fragments.with_people(session, found.statuses, call.viewer, found.accounts)
    statuses = b"[" + b",".join(posts[row.id] for row in found.statuses if row.id in posts) + b"]"
    links = call.api.fragments.links
    tags = [
        render_tag(
            tag,
            found.used.days[tag.id],
            links,
            following=None if call.viewer is None else tag.id in found.used.followed,
            featuring=None if call.viewer is None else tag.id in found.used.featured,
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
    asked = Asked(_home(call), account=text, limit=limit, offset=offset, following=params.following)
    names = await call.api.db.scan(lambda session: find_names(session, call.actor, asked), _SECONDS)
    async with call.api.db.read() as session:
        found = await call.api.fragments.accounts_at(session, names.accounts.items())
    return b"[" + b",".join(found[id_] for id_ in names.accounts if id_ in found) + b"]"


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
    viewer, wanted = call.viewer or 0, params.type
    sought = parse(text) if wanted in (None, "statuses") and viewer and not text.startswith("@") else Sought()
    asked = Asked(
        _home(call),
        account=text if wanted in (None, "accounts") and not text.startswith("#") else "",
        tag=_tag_key(text) if wanted in (None, "hashtags") and not text.startswith("@") else "",
        authors=[*sought.authors, *sought.not_authors],
        limit=limit,
        offset=offset,
        following=params.following,
    )
    names = await find_names(session, viewer, asked)
    tag_ids = [tag.id for tag in names.tags]
    match = match_statuses(sought, viewer, names.authors, params.account_id)
    if match is None:
        return _Found(names.accounts, [], names.tags, await load_used_tags(session, viewer, tag_ids))
    below = HIGHEST_ID if params.max_id is None else params.max_id
    part = Part(limit, offset, max(params.min_id or 0, sought.above), min(below, sought.below))
    statuses, used = await search_statuses(session, viewer, match, part, tag_ids)
    return _Found(names.accounts, statuses, names.tags, used)


async def _find_address(session: ReadSession, call: Call, text: str, wanted: str | None) -> _Found:
    found = await find_by_address(session, call.viewer or 0, text, call.api.config.base_url)
    return _NOTHING if found is None else await _show(session, call, found, wanted)


async def _show(session: ReadSession, call: Call, found: tuple[str, int], wanted: str | None) -> _Found:
    kind, id_ = found
    if kind == "status" and wanted in (None, "statuses"):
        return _NOTHING._replace(statuses=list((await find_rows(session, [id_], call.viewer)).values()))
    if kind == "account" and wanted in (None, "accounts"):
        return _NOTHING._replace(accounts=await _revisions(session, [id_]))
    return _NOTHING


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
        async with call.api.db.read() as session:
            return await _show(session, call, there, params.type)
    if params.type not in (None, "accounts"):
        return found
    account_id = await _find_account_elsewhere(call, text)
    if account_id is None or account_id in found.accounts:
        return found
    async with call.api.db.read() as session:
        return found._replace(accounts=await _revisions(session, [account_id]) | found.accounts)


async def _revisions(session: ReadSession, ids: list[int]) -> dict[int, int]:
    return {row[0]: row[1] for row in await load_revisions(session, ids)}


async def _find_account_elsewhere(call: Call, text: str) -> int | None:
    match = _HANDLE.fullmatch(text)
    if match is None or match[1].lower() in _home(call):
        return None
    return await call.api.lookup.account(text.removeprefix("@"))


def _tag_key(text: str) -> str:
    return "" if " " in text.strip() else normalise_tag(text.removeprefix("#"))


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
