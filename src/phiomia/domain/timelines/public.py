"""Public timelines: the local one, the federated one, those of hashtags."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import ColumnElement, and_, func, or_, select, text, true

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.conditions import not_blocked_or_muted
from phiomia.domain.statuses.card_views import CardState
from phiomia.domain.statuses.models import PUBLIC, PUBLIC_LOCAL, cards, status_tags, statuses
from phiomia.domain.statuses.pages import FeedPages
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tags
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.paging import Page

_VIEWER = P("viewer")
_author_shown = (
    select(accounts.c.id)
    .where(accounts.c.id == statuses.c.account_id, accounts.c.state == AccountState.ACTIVE)
    .exists()
)
_not_reply = or_(
    statuses.c.in_reply_to_account_id.is_(None), statuses.c.in_reply_to_account_id == statuses.c.account_id
)
_CARD = Query(select(cards.c.id).where(cards.c.url == P("address", str), cards.c.state == CardState.SHOWN))
_TAG_IDS = Query(select(tags.c.name, tags.c.id).where(any_of(tags.c.name, listed("names", str))))


@cache
def _public(local: bool, remote: bool, only_media: bool, signed_in: bool, chosen: bool = False) -> FeedPages:
    conditions: list[ColumnElement[bool]] = [text(PUBLIC_LOCAL if local else PUBLIC), _not_reply, _author_shown]  # type: ignore[list-item]
    if remote:
        conditions.append(statuses.c.local.is_(False))
    if only_media:
        conditions.append(statuses.c.media_count > 0)
    if signed_in:
        conditions.append(not_blocked_or_muted(statuses.c.account_id, _VIEWER))
    if chosen:
        conditions.append(any_of(statuses.c.language, listed("languages", str)))
    return FeedPages(select(statuses.c.id.label("cursor"), statuses.c.id).where(*conditions), statuses.c.id)


async def load_public(
    session: ReadSession, viewer: int | None, page: Page, *, local: bool = False, remote: bool = False,
    only_media: bool = False, languages: Sequence[str] = (),
) -> list[FeedRow]:  # fmt: skip
    """A page of the public timeline, in the languages that the viewer has chosen, if any."""
    pages = _public(local, remote and not local, only_media, viewer is not None, bool(languages))
    chosen = {"languages": list(languages)} if languages else {}
    return await pages.rows(session, page, viewer, **_moment(viewer), **chosen)


@cache
def _linked(signed_in: bool) -> FeedPages:
    conditions: list[ColumnElement[bool]] = [
        statuses.c.card_id == P("card"),
        statuses.c.card_id.is_not(None),
        statuses.c.visibility == Visibility.PUBLIC,
        _author_shown,
    ]
    if signed_in:
        conditions.append(not_blocked_or_muted(statuses.c.account_id, _VIEWER))
    return FeedPages(select(statuses.c.id.label("cursor"), statuses.c.id).where(*conditions), statuses.c.id)


async def load_link(session: ReadSession, viewer: int | None, url: str, page: Page) -> list[FeedRow]:
    """A page of the public statuses that show the preview of a link. Raises NotFound for an unknown link."""
    card_id = await session.value(_CARD, address=url)
    if card_id is None:
        raise NotFound
    return await _linked(viewer is not None).rows(session, page, viewer, card=card_id, **_moment(viewer))


@cache
def _tagged(local: bool, remote: bool, only_media: bool, signed_in: bool, further: bool) -> FeedPages:
    conditions: list[ColumnElement[bool]] = [
        status_tags.c.tag_id == P("tag") if not further else any_of(status_tags.c.tag_id, listed("any")),
        statuses.c.id == status_tags.c.status_id,
        text("visibility = 0 AND reblog_of_id IS NULL"),  # type: ignore[list-item]
        _author_shown,
    ]
    if local:
        conditions.append(statuses.c.local.is_(True))
    if remote:
        conditions.append(statuses.c.local.is_(False))
    if only_media:
        conditions.append(statuses.c.media_count > 0)
    if signed_in:
        conditions.append(not_blocked_or_muted(statuses.c.account_id, _VIEWER))
    if further:
        conditions += [_has_all(), ~_has_any()]
    cursor = status_tags.c.status_id
    ids = select(cursor.label("cursor"), cursor.label("id")).where(and_(true(), *conditions))
    return FeedPages(ids.distinct() if further else ids, cursor)


def _has_all() -> ColumnElement[bool]:
    other = status_tags.alias("all_tags")
    found = (
        select(func.count())
        .select_from(other)
        .where(other.c.status_id == statuses.c.id, any_of(other.c.tag_id, listed("all")))
    )
    return found.scalar_subquery() >= P("all_count")


def _has_any() -> ColumnElement[bool]:
    other = status_tags.alias("no_tags")
    return (
        select(other.c.status_id)
        .where(other.c.status_id == statuses.c.id, any_of(other.c.tag_id, listed("none")))
        .exists()
    )


async def load_tag(
    session: ReadSession, viewer: int | None, name: str, page: Page, *, any_: Sequence[str] = (),
    all_: Sequence[str] = (), none: Sequence[str] = (), local: bool = False, remote: bool = False,
    only_media: bool = False,
) -> list[FeedRow]:  # fmt: skip
    """A page of a hashtag's timeline; names are keys (see tags/normalise.py)."""
    ids = {row[0]: row[1] for row in await session.all(_TAG_IDS, names=[name, *any_, *all_, *none])}
    further = bool(any_ or all_ or none)
    if name not in ids and not any(other in ids for other in any_):
        return []
    pages = _tagged(local, remote and not local, only_media, viewer is not None, further)
    if not further:
        return await pages.rows(session, page, viewer, tag=ids[name], **_moment(viewer))
    return await pages.rows(
        session,
        page,
        viewer,
        any=[ids[other] for other in (name, *any_) if other in ids],
        all=[ids[other] for other in all_ if other in ids],
        all_count=len(set(all_)),
        none=[ids[other] for other in none if other in ids],
        **_moment(viewer),
    )


def _moment(viewer: int | None) -> dict[str, int]:
    return {} if viewer is None else {"now": now_ms()}
