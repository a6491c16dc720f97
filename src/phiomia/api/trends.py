"""What is talked about: https://docs.joinmastodon.org/methods/trends/"""

from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.paging import link_offsets
from phiomia.domain.search.queries import load_tag_histories
from phiomia.domain.statuses.card_views import load_cards
from phiomia.domain.statuses.featured_tags import find_featured_tags
from phiomia.domain.statuses.queries import find_rows
from phiomia.domain.tags.queries import find_followed_tags
from phiomia.domain.trends.queries import (
    Shown,
    list_trending_links,
    list_trending_statuses,
    list_trending_tags,
    load_link_histories,
)
from phiomia.entities.card import render_card
from phiomia.entities.tag import render_tag
from phiomia.platform import limits

_SECONDS = 2.0
_LARGEST_OFFSET = 10_000


class TrendParams(Struct, kw_only=True):
    """Which part of the list."""

    limit: int | None = None
    offset: int | None = None

    def shown(self, call: Call, sizes: tuple[int, int]) -> Shown:
        """The part, and whether everything has to be allowed first."""
        usual, most = sizes
        limit = usual if self.limit is None else max(1, min(self.limit, most))
        offset = min(max(self.offset or 0, 0), _LARGEST_OFFSET)
        return Shown(limit, offset, call.api.config.instance.review_trends)


@endpoint("GET", "/api/v1/trends/tags", access="optional", returns="array<entity:Tag>", paginated="link-header")
async def tags(call: Call, params: TrendParams) -> object:
    """Hashtags that are used more than usual."""
    shown = params.shown(call, limits.PAGE_TRENDS)
    async with call.api.db.read() as session:
        views = await list_trending_tags(session, shown)
    ids = [view.id for view in views]
    days = await call.api.db.scan(lambda session: load_tag_histories(session, ids), _SECONDS) if ids else {}
    async with call.api.db.read() as session:
        followed = await find_followed_tags(session, call.viewer, ids) if call.viewer else set()
        featured = await find_featured_tags(session, call.viewer, ids) if call.viewer else set()
    link_offsets(call, shown.limit, shown.offset, full=len(views) >= shown.limit)
    links, signed_in = call.api.fragments.links, call.viewer is not None
    return [
        render_tag(
            view,
            days[view.id],
            links,
            following=view.id in followed if signed_in else None,
            featuring=view.id in featured if signed_in else None,
        )
        for view in views
    ]


@endpoint(
    "GET",
    "/api/v1/trends",
    access="optional",
    returns="array<entity:Tag>",
    paginated="link-header",
    deprecated="2022-03-30",
)
async def tags_v1(call: Call, params: TrendParams) -> object:
    """The same for older apps."""
    return await tags(call, params)


@endpoint("GET", "/api/v1/trends/statuses", access="optional", returns="array<entity:Status>", paginated="link-header")
async def statuses(call: Call, params: TrendParams) -> bytes:
    """Posts that many people like and share."""
    shown = params.shown(call, limits.PAGE_STATUSES)
    async with call.api.db.read() as session:
        ids = await list_trending_statuses(session, call.viewer or 0, shown)
        rows = await find_rows(session, ids, call.viewer) if ids else {}
        page = await call.api.fragments.page(session, [rows[id_] for id_ in ids if id_ in rows], call.viewer)
    link_offsets(call, shown.limit, shown.offset, full=len(ids) >= shown.limit)
    return page


@endpoint(
    "GET", "/api/v1/trends/links", access="optional", returns="array<entity:Trends::Link>", paginated="link-header"
)
async def links(call: Call, params: TrendParams) -> object:
    """Links that are posted more than usual."""
    shown = params.shown(call, limits.PAGE_TRENDS)
    async with call.api.db.read() as session:
        ids = await list_trending_links(session, shown)
        cards = await load_cards(session, ids) if ids else {}
        written = {card.author_id for card in cards.values() if card.author_id is not None}
        authors = await call.api.fragments.accounts(session, sorted(written)) if written else {}
        days = await load_link_histories(session, list(cards)) if cards else {}
    link_offsets(call, shown.limit, shown.offset, full=len(ids) >= shown.limit)
    return [
        render_card(cards[id_], call.api.fragments.links, authors.get(cards[id_].author_id or 0), call.viewer)
        | {
            "history": [
                {"day": str(one.day // 1000), "accounts": str(one.accounts), "uses": str(one.uses)} for one in days[id_]
            ]
        }
        for id_ in ids
        if id_ in cards
    ]
