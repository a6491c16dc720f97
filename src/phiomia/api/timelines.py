"""Timelines: https://docs.joinmastodon.org/methods/timelines/"""

from collections.abc import Sequence

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import Paging, link
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.domain.timelines.home import load_home
from phiomia.domain.timelines.public import load_link, load_public, load_tag
from phiomia.platform import limits
from phiomia.platform.db import ReadSession


class PublicParams(Paging, kw_only=True):
    """Parameters of the public timeline."""

    local: bool = False
    remote: bool = False
    only_media: bool = False


class TagParams(PublicParams, kw_only=True):
    """Parameters of a hashtag's timeline."""

    any: list[str] = []
    all: list[str] = []
    none: list[str] = []


class LinkParams(Paging, kw_only=True):
    """Which link."""

    url: str = ""


@endpoint(
    "GET", "/api/v1/timelines/home", scopes=("read:statuses",), returns="array<entity:Status>", paginated="link-header"
)
async def home(call: Call, params: Paging) -> bytes:
    """Statuses of those whom the account follows."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        return await show(call, session, await load_home(session, call.actor, page), page.limit)


@endpoint(
    "GET",
    "/api/v1/timelines/public",
    access="optional",
    scopes=("read:statuses",),
    returns="array<entity:Status>",
    paginated="link-header",
)
async def public(call: Call, params: PublicParams) -> bytes:
    """Public statuses, of this server or of all that it knows."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        rows = await load_public(
            session,
            call.viewer,
            page,
            local=params.local,
            remote=params.remote,
            only_media=params.only_media,
            languages=call.bearer.languages if call.bearer else (),
        )
        return await show(call, session, rows, page.limit)


@endpoint(
    "GET",
    "/api/v1/timelines/tag/:hashtag",
    access="optional",
    scopes=("read:statuses",),
    returns="array<entity:Status>",
    paginated="link-header",
)
async def tag(call: Call, params: TagParams) -> bytes:
    """Public statuses with a hashtag."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        rows = await load_tag(
            session,
            call.viewer,
            normalise_tag(call.path["hashtag"]),
            page,
            any_=_keys(params.any),
            all_=_keys(params.all),
            none=_keys(params.none),
            local=params.local,
            remote=params.remote,
            only_media=params.only_media,
        )
        return await show(call, session, rows, page.limit)


@endpoint(
    "GET",
    "/api/v1/timelines/link",
    access="optional",
    scopes=("read:statuses",),
    returns="array<entity:Status>",
    paginated="link-header",
)
async def link_timeline(call: Call, params: LinkParams) -> bytes:
    """Public statuses that share a link."""
    page = params.page(limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        return await show(call, session, await load_link(session, call.viewer, params.url, page), page.limit)


async def show(call: Call, session: ReadSession, rows: Sequence[FeedRow], limit: int) -> bytes:
    """A page of statuses with its Link header."""
    if rows:
        link(call, rows[0].cursor, rows[-1].cursor, full=len(rows) >= limit)
    return await call.api.fragments.page(session, rows, call.viewer)


def _keys(names: list[str]) -> list[str]:
    return [key for key in (normalise_tag(name) for name in names) if key]
