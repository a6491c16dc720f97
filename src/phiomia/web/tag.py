"""The pages of a hashtag, for everybody: what everybody has posted with it, and what one member has."""

from collections.abc import Sequence
from typing import Any

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.domain.tags.queries import TagView, find_tag
from phiomia.domain.timelines.account import load_account_statuses
from phiomia.domain.timelines.public import load_tag
from phiomia.platform.db import ReadSession
from phiomia.platform.limits import PAGE_STATUSES
from phiomia.platform.paging import Page
from phiomia.web.shown import find_shown_account, read_id, read_person, read_posts, words_for
from phiomia.web.visit import Visit

_POSTS = PAGE_STATUSES[0]


async def show_tag(visit: Visit) -> None:
    """Public posts with the hashtag, the newest first."""
    key = _read_name(visit)
    async with visit.context.db.read() as session:
        known = await _find(session, key)
        rows = await load_tag(session, None, key, _page(visit))
        posts = await read_posts(visit.context.fragments, session, rows[:_POSTS])
    _show(visit, known, f"/tags/{known.name}", rows, posts=posts, person=None)


async def show_tag_of_member(visit: Visit) -> None:
    """What a member has posted with the hashtag for everybody, the newest first."""
    key = _read_name(visit)
    fragments = visit.context.fragments
    async with visit.context.db.read() as session:
        view = await find_shown_account(session, visit.path["username"])
        known = await _find(session, key)
        rows = await load_account_statuses(session, None, view.id, _page(visit), exclude_boosts=True, tag=key)
        posts = await read_posts(fragments, session, rows[:_POSTS])
        person = await read_person(fragments, session, view)
    _show(visit, known, f"/@{view.username}/tagged/{known.name}", rows, posts=posts, person=person)


def _read_name(visit: Visit) -> str:
    name = visit.path["name"]
    key = normalise_tag(name)
    if not key or not is_valid_tag(name):
        raise NotFound
    return key


def _page(visit: Visit) -> Page:
    # One more than is shown tells whether there are older ones.
    return Page(max_id=read_id(visit.query.get("max_id", "")), limit=_POSTS + 1)


async def _find(session: ReadSession, key: str) -> TagView:
    known = await find_tag(session, key)
    if known is None:
        raise NotFound
    return known


def _show(visit: Visit, known: TagView, path: str, rows: Sequence[FeedRow], **more: Any) -> None:
    visit.show_public(
        "tag",
        name=known.display_name or known.name,
        path=path,
        older=rows[_POSTS - 1].cursor if len(rows) > _POSTS else None,
        **more,
        **words_for(visit),
    )
