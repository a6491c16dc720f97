"""Custom emoji of other servers: kept by domain and name, renewed when their server says so."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import or_

from phiomia.domain.instance.models import custom_emojis
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.ids import new_id


class EmojiDraft(msgspec.Struct, frozen=True):
    """An emoji of another server."""

    shortcode: str
    uri: str
    image_url: str
    updated_at: int | None = None


_KEEP = Query(
    lambda insert: (
        insert(custom_emojis)
        .values(
            id=P("id"),
            shortcode=P("shortcode", str),
            domain=P("domain", str),
            uri=P("uri", str),
            url=P("image", str),
            static_url=P("image", str),
            image_remote_url=P("image", str),
            visible_in_picker=False,
            created_at=P("now"),
            updated_at=P("updated"),
        )
        .on_conflict_do_update(
            index_elements=["domain", "shortcode"],
            set_={
                "uri": P("uri", str),
                "url": P("image", str),
                "static_url": P("image", str),
                "image_remote_url": P("image", str),
                "updated_at": P("updated"),
            },
            where=or_(
                custom_emojis.c.image_remote_url != P("image", str),
                custom_emojis.c.updated_at.is_distinct_from(P("updated")),
            ),
        )
    )
)


async def keep_emojis(session: WriteSession, domain: str, drafts: Sequence[EmojiDraft]) -> None:
    """Writes those that are new or another picture now; `domain` is never this server's own."""
    now = now_ms()
    # In one order everywhere: two transactions that bring the same emoji must not wait for each other.
    for draft in sorted(drafts, key=lambda one: one.shortcode) if domain else ():
        await session.execute(
            _KEEP,
            id=new_id(),
            shortcode=draft.shortcode,
            domain=domain,
            uri=draft.uri,
            image=draft.image_url,
            now=now,
            updated=draft.updated_at,
        )
