"""Reading hashtags."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Boolean, Text, literal, select

from phiomia.domain.tags.models import tag_follows, tags
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.functions import sql_function
from phiomia.platform.paging import Page, Paged

_CANDIDATES = 200
_HIGHEST = "\U0010ffff"


in_prefix = sql_function(
    "in_prefix",
    sqlite="{0} >= {1} AND {0} < {2}",
    postgresql="{0} ~>=~ CAST({1} AS text) AND {0} ~<~ CAST({2} AS text)",
    kind=Boolean(),
)
"""`in_prefix(column, P("low", str), P("high", str))`: the text begins so, by the index of names.

PostgreSQL's ordinary comparison follows a language's rules, in which what begins alike need not stand together.
"""

in_order = sql_function("in_order", sqlite="{0}", postgresql="{0} USING ~<~", kind=Text())
"""`in_order(column)`: the order of that index."""


class TagView(NamedTuple):
    """A hashtag: its key, and how it is usually written."""

    id: int
    name: str
    display_name: str
    last_used_at: int | None


_VIEW = select(tags.c.id, tags.c.name, tags.c.display_name, tags.c.last_used_at)
_BY_NAME = Query(_VIEW.where(tags.c.name == P("name", str)))
_FOLLOWED_PAGES = Paged(
    _VIEW.join(tag_follows, tag_follows.c.tag_id == tags.c.id).where(tag_follows.c.account_id == P("account")),
    tag_follows.c.tag_id,
)
BY_PREFIX: Final = (
    _VIEW.where(in_prefix(tags.c.name, P("low", str), P("high", str)))
    .order_by(in_order(tags.c.name))
    .limit(literal(_CANDIDATES))
)
"""Hashtags that begin with something, for a statement of `Together`; `prefix_range` gives its parameters."""
FOLLOWED: Final = select(tag_follows.c.tag_id).where(
    tag_follows.c.account_id == P("viewer"), any_of(tag_follows.c.tag_id, listed("tags"))
)
"""Which of `tags` the viewer follows, for a statement of `Together`."""
_FOLLOWED = Query(FOLLOWED)


async def find_tag(session: ReadSession, key: str) -> TagView | None:
    """The hashtag of a key, if anybody ever used it."""
    return await session.view(TagView, _BY_NAME, name=key)


def prefix_range(key: str) -> tuple[str, str]:
    """`low` and `high` for hashtags that begin with a key; for an empty one there are none."""
    return key, key and key + _HIGHEST


def sort_tags(found: Iterable[TagView], key: str) -> list[TagView]:
    """The very one first, then those used last. No more than 200 were looked at."""
    return sorted(found, key=lambda tag: (tag.name != key, -(tag.last_used_at or 0), tag.name))


async def find_followed_tags(session: ReadSession, account_id: int, tag_ids: Sequence[int]) -> set[int]:
    """Which of the hashtags the account follows."""
    return set(await session.column(_FOLLOWED, viewer=account_id, tags=list(tag_ids))) if tag_ids else set()


async def list_followed_tags(session: ReadSession, account_id: int, page: Page) -> list[TagView]:
    """The hashtags that the account follows, the youngest hashtag first."""
    return await _FOLLOWED_PAGES.views(session, TagView, page, account=account_id)
