"""Previews of links as loaded."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec
from sqlalchemy import select

from phiomia.domain.statuses.models import cards
from phiomia.platform.db import Query, ReadSession, any_of, listed


class CardState(IntEnum):
    """What is known of a link. The numbers are stored."""

    WAITING = 0
    SHOWN = 1
    EMPTY = 2  # nothing that could be shown


class CardKind(IntEnum):
    """What a preview shows. The numbers are stored."""

    LINK = 0
    PHOTO = 1
    VIDEO = 2
    RICH = 3


class CardView(msgspec.Struct, frozen=True):
    """The preview of a link. The order is that of the columns below."""

    id: int
    url: str
    kind: int
    title: str
    description: str
    author_name: str
    author_url: str
    author_id: int | None
    provider_name: str
    provider_url: str
    html: str
    width: int
    height: int
    image_url: str
    image_description: str
    embed_url: str
    language: str | None
    published_at: int | None
    claimed_author_id: int | None = None

    @property
    def names_somebody(self) -> bool:
        """Whether somebody known here wrote it, or is said to have."""
        return self.author_id is not None or self.claimed_author_id is not None


_CARDS = Query(
    select(*[cards.c[name] for name in CardView.__struct_fields__]).where(
        any_of(cards.c.id, listed("ids")), cards.c.state == CardState.SHOWN
    )
)


async def load_cards(session: ReadSession, ids: Sequence[int]) -> dict[int, CardView]:
    """Previews that have something to show, by id."""
    return {view.id: view for view in await session.views(CardView, _CARDS, ids=list(ids))}
