"""Reading hashtags."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import select

from phiomia.domain.tags.models import tag_follows, tags
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.paging import Page, Paged

_CANDIDATES = 200
_HIGHEST = "\U0010ffff"


class TagView(NamedTuple):
    """A hashtag: its key, and how it is usually written."""

    id: int
    name: str
    display_name: str
    last_used_at: int | None


_VIEW = select(tags.c.id, tags.c.name, tags.c.display_name, tags.c.last_used_at)
_BY_NAME = Query(_VIEW.where(tags.c.name == P("name", str)))
_COLUMNS = "id, name, display_name, last_used_at"
# PostgreSQL's ordinary comparison follows a language's rules, in which what begins alike need not stand together.
_BY_PREFIX = Query.raw(
    sqlite=f"SELECT {_COLUMNS} FROM tags WHERE name >= :low AND name < :high ORDER BY name LIMIT :limit",  # noqa: S608
    postgresql=f"SELECT {_COLUMNS} FROM tags "  # noqa: S608
    "WHERE name ~>=~ CAST(:low AS text) AND name ~<~ CAST(:high AS text) ORDER BY name USING ~<~ LIMIT :limit",
)
_FOLLOWED_PAGES = Paged(
    _VIEW.join(tag_follows, tag_follows.c.tag_id == tags.c.id).where(tag_follows.c.account_id == P("account")),
    tag_follows.c.tag_id,
)
FOLLOWED: Final = select(tag_follows.c.tag_id).where(
    tag_follows.c.account_id == P("viewer"), any_of(tag_follows.c.tag_id, listed("tags"))
)
"""Which of `tags` the viewer follows, for a statement of `Together`."""
_FOLLOWED = Query(FOLLOWED)


async def find_tag(session: ReadSession, key: str) -> TagView | None:
    """The hashtag of a key, if anybody ever used it."""
    return await session.view(TagView, _BY_NAME, name=key)


async def find_tags_by_prefix(session: ReadSession, key: str) -> list[TagView]:
    """Hashtags that begin with a key: the very one first, then those used last. No more than 200 are looked at."""
    found = await session.views(TagView, _BY_PREFIX, low=key, high=key + _HIGHEST, limit=_CANDIDATES)
    return sorted(found, key=lambda tag: (tag.name != key, -(tag.last_used_at or 0), tag.name))


async def find_followed_tags(session: ReadSession, account_id: int, tag_ids: Sequence[int]) -> set[int]:
    """Which of the hashtags the account follows."""
    return set(await session.column(_FOLLOWED, viewer=account_id, tags=list(tag_ids))) if tag_ids else set()


async def list_followed_tags(session: ReadSession, account_id: int, page: Page) -> list[TagView]:
    """The hashtags that the account follows, the youngest hashtag first."""
    return await _FOLLOWED_PAGES.views(session, TagView, page, account=account_id)
