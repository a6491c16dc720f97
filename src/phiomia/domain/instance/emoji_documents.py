"""Custom emoji as other servers get to know them."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import func, select

from phiomia.domain.instance.models import custom_emojis
from phiomia.platform.db import P, Query, ReadSession, any_of, listed


class EmojiDetail(NamedTuple):
    """One of this server's own emoji."""

    id: int
    shortcode: str
    url: str
    updated_at: int


_VIEW = select(
    custom_emojis.c.id,
    custom_emojis.c.shortcode,
    custom_emojis.c.url,
    func.coalesce(custom_emojis.c.updated_at, custom_emojis.c.created_at),
).where(custom_emojis.c.domain == "", custom_emojis.c.disabled.is_(False))
_NAMED = Query(_VIEW.where(any_of(custom_emojis.c.shortcode, listed("names", str))))
_BY_ID = Query(_VIEW.where(custom_emojis.c.id == P("id")))


async def load_own_emojis(session: ReadSession, shortcodes: Iterable[str]) -> dict[str, EmojiDetail]:
    """This server's emoji by shortcode."""
    names = sorted(set(shortcodes))
    if not names:
        return {}
    return {view.shortcode: view for view in await session.views(EmojiDetail, _NAMED, names=names)}


async def find_own_emoji(session: ReadSession, emoji_id: int) -> EmojiDetail | None:
    """One of this server's emoji."""
    return await session.view(EmojiDetail, _BY_ID, id=emoji_id)
