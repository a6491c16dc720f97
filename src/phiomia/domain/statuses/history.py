"""The versions of a status."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.instance.models import custom_emojis
from phiomia.domain.media.models import media as media_table
from phiomia.domain.media.views import MediaView
from phiomia.domain.statuses.models import status_edits, statuses
from phiomia.domain.statuses.policy import visible_with_original
from phiomia.domain.statuses.quote_views import QuoteView
from phiomia.domain.statuses.rows import NOBODY, VIEWER
from phiomia.domain.statuses.views import StatusView
from phiomia.domain.statuses.whole import WHOLE, read_statuses
from phiomia.platform.db import P, ReadSession, any_of, listed
from phiomia.platform.db.together import Together
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
    account_rev: int
    versions: list[VersionView]
    quote: QuoteView | None  # edits leave it as it is


_EARLIER = (
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
_ALL = Together(
    {
        **WHOLE,
        "visible": select(statuses.c.id).where(statuses.c.id == P("id"), visible_with_original(statuses, VIEWER)),
        "author": select(accounts.c.id, accounts.c.rev, accounts.c.domain)
        .select_from(statuses.join(accounts, accounts.c.id == statuses.c.account_id))
        .where(statuses.c.id == P("id")),
        "earlier": _EARLIER,
    }
)
_MORE = Together(
    {
        "media": select(*[media_table.c[name] for name in MediaView.__struct_fields__]).where(
            any_of(media_table.c.id, listed("media_ids"))
        ),
        "emojis": select(*[custom_emojis.c[name] for name in EmojiView.__struct_fields__]).where(
            any_of(custom_emojis.c.shortcode, listed("names", str)),
            custom_emojis.c.domain == P("domain", str),
            custom_emojis.c.disabled.is_(False),
        ),
    }
)


async def load_history(session: ReadSession, status_id: int, viewer: int | None) -> History:
    """The versions of a status. Raises NotFound, also for what the viewer may not see."""
    found = await _ALL.ask(session, id=status_id, ids=[status_id], viewer=viewer or NOBODY)
    if not found["visible"]:
        raise NotFound
    present, earlier = read_statuses(found)[status_id], found["earlier"]
    account_id, account_rev, domain = found["author"][0]
    media, emojis = await _load_more(session, earlier, domain)
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
    return History(account_id, account_rev, [*versions, _present(present)], present.quote)


async def _load_more(
    session: ReadSession, earlier: Sequence[Sequence[Any]], domain: str
) -> tuple[dict[int, MediaView], dict[str, EmojiView]]:
    """The media and emoji of earlier versions."""
    ids = {one["id"] for row in earlier for one in decode(row[5])}
    names = {name for row in earlier for name in decode_strings(row[6])}
    if not ids and not names:
        return {}, {}
    found = await _MORE.ask(session, media_ids=sorted(ids), names=sorted(names), domain=domain)
    return {row[0]: MediaView(*row) for row in found["media"]}, {row[0]: EmojiView(*row) for row in found["emojis"]}


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
