"""Custom emoji."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import select

from phiomia.domain.instance.models import custom_emojis
from phiomia.platform.db import P, Query, ReadSession, any_of, listed


class EmojiView(msgspec.Struct, frozen=True):
    """A custom emoji as it is shown."""

    shortcode: str
    url: str
    static_url: str
    visible_in_picker: bool
    category: str | None
    id: int = 0
    image_remote_url: str = ""


_COLUMNS = [custom_emojis.c[name] for name in EmojiView.__struct_fields__]
_LISTED = Query(
    select(*_COLUMNS)
    .where(custom_emojis.c.domain == "", custom_emojis.c.disabled.is_(False))
    .order_by(custom_emojis.c.category, custom_emojis.c.shortcode)
)
_NAMED = Query(
    select(*_COLUMNS).where(
        any_of(custom_emojis.c.shortcode, listed("names", str)),
        custom_emojis.c.domain == P("domain", str),
        custom_emojis.c.disabled.is_(False),
    )
)


async def list_emojis(session: ReadSession) -> list[EmojiView]:
    """This server's emoji that may be picked or used."""
    return await session.views(EmojiView, _LISTED)


async def load_emojis(session: ReadSession, shortcodes: Iterable[str], domain: str = "") -> dict[str, EmojiView]:
    """Emoji of a server by shortcode."""
    names = sorted(set(shortcodes))
    if not names:
        return {}
    return {view.shortcode: view for view in await session.views(EmojiView, _NAMED, names=names, domain=domain)}
