"""The versions of a status."""

from typing import Any

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.queries import load_account
from phiomia.domain.instance.emojis import EmojiView, load_emojis
from phiomia.domain.media.queries import load_media
from phiomia.domain.media.views import MediaView
from phiomia.domain.statuses.models import status_edits
from phiomia.domain.statuses.queries import load_status, load_statuses
from phiomia.domain.statuses.quote_views import QuoteView
from phiomia.domain.statuses.views import StatusView
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.json import decode, decode_strings


class VersionView(msgspec.Struct, frozen=True):
    """What a status was from a moment on."""

    content: str
    spoiler_text: str
    sensitive: bool
    created_at: int
    poll_options: list[str] | None
    media: list[MediaView]
    emojis: list[EmojiView]


class History(msgspec.Struct, frozen=True):
    """All versions, the oldest first."""

    account_id: int
    versions: list[VersionView]
    quote: QuoteView | None  # edits leave it as it is


_EARLIER = Query(
    select(
        status_edits.c.content,
        status_edits.c.spoiler_text,
        status_edits.c.sensitive,
        status_edits.c.created_at,
        status_edits.c.poll_options,
        status_edits.c.media,
        status_edits.c.emojis,
    )
    .where(status_edits.c.status_id == P("id"))
    .order_by(status_edits.c.id)
)


async def load_history(session: ReadSession, status_id: int, viewer: int | None) -> History:
    """The versions of a status. Raises NotFound, also for what the viewer may not see."""
    row = await load_status(session, status_id, viewer)
    present = (await load_statuses(session, [status_id]))[status_id]
    earlier = await session.all(_EARLIER, id=status_id)
    media = await _load_media(session, earlier)
    domain = "" if row.local else (await load_account(session, row.account_id)).domain
    names = {name for one in earlier for name in decode_strings(one[6])}
    emojis = await load_emojis(session, names, domain) if names else {}
    versions = [
        VersionView(
            content,
            spoiler_text,
            bool(sensitive),
            created_at,
            None if options is None else decode_strings(options),
            [_described(media[one["id"]], one["description"]) for one in decode(attached) if one["id"] in media],
            [emojis[name] for name in decode_strings(used) if name in emojis],
        )
        for content, spoiler_text, sensitive, created_at, options, attached, used in earlier
    ]
    return History(row.account_id, [*versions, _present(present)], present.quote)


async def _load_media(session: ReadSession, earlier: Any) -> dict[int, MediaView]:
    ids = {one["id"] for row in earlier for one in decode(row[5])}
    return await load_media(session, sorted(ids)) if ids else {}


def _described(view: MediaView, description: str | None) -> MediaView:
    return msgspec.structs.replace(view, description=description)


def _present(view: StatusView) -> VersionView:
    row = view.row
    return VersionView(
        row.content,
        row.spoiler_text,
        bool(row.sensitive),
        row.edited_at or row.created_at,
        None if view.poll is None else [option.title for option in view.poll.options],
        view.media,
        view.emojis,
    )
