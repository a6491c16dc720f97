"""The entity StatusEdit."""

from typing import Any

import msgspec

from phiomia.domain.statuses.history import VersionView
from phiomia.entities.emoji import render_emoji
from phiomia.entities.links import Links
from phiomia.entities.media_attachment import render_media
from phiomia.platform.clock import iso


def render_version(view: VersionView, account: bytes, quote: bytes | None, links: Links) -> dict[str, Any]:
    """One version of a status; `account` is the author's entity, `quote` that of what is quoted."""
    version: dict[str, Any] = {
        "content": view.content,
        "spoiler_text": view.spoiler_text,
        "sensitive": view.sensitive,
        "created_at": iso(view.created_at),
        "account": msgspec.Raw(account),
        "media_attachments": [render_media(media, links) for media in view.media],
        "emojis": [render_emoji(emoji, links) for emoji in view.emojis],
        "quote": None if quote is None else msgspec.Raw(quote),
    }
    if view.poll_options is not None:
        version["poll"] = {"options": [{"title": title} for title in view.poll_options]}
    return version
