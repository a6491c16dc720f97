"""The entities Announcement and Reaction."""

from typing import Any

import msgspec

from phiomia.domain.moderation.announcements import AnnouncementView, ReactionView, find_announcement
from phiomia.entities.emoji import render_emoji
from phiomia.entities.links import Links
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession


def render_announcement(view: AnnouncementView, links: Links, *, signed_in: bool) -> dict[str, Any]:
    """An announcement; only for members it says whether they have read it, and what they think of it."""
    row = view.row
    announcement: dict[str, Any] = {
        "id": str(row.id),
        "content": row.content,
        "starts_at": None if row.starts_at is None else iso(row.starts_at),
        "ends_at": None if row.ends_at is None else iso(row.ends_at),
        "all_day": bool(row.all_day),
        "published_at": iso(row.published_at),
        "updated_at": iso(row.updated_at),
        "mentions": [
            {
                "id": str(one.id),
                "username": one.username,
                "url": links.mention(one.username, one.domain, one.url),
                "acct": one.acct,
            }
            for one in view.mentions
        ],
        "statuses": [{"id": str(status_id), "url": url} for status_id, url in view.status_ids],
        "tags": [{"name": name, "url": links.tag(name)} for name in view.tags],
        "emojis": [render_emoji(view.emojis[name], links) for name in view.shortcodes if name in view.emojis],
        "reactions": [_render_reaction(one, view, signed_in=signed_in) for one in view.reactions],
    }
    if signed_in:
        announcement["read"] = bool(row.read)
    return announcement


def _render_reaction(one: ReactionView, view: AnnouncementView, *, signed_in: bool) -> dict[str, Any]:
    reaction: dict[str, Any] = {"name": one.name, "count": one.total}
    if signed_in:
        reaction["me"] = one.me
    if one.name in view.emojis:
        reaction |= {"url": view.emojis[one.name].url, "static_url": view.emojis[one.name].static_url}
    return reaction


async def render_announcement_for_all(links: Links, session: ReadSession, announcement_id: int) -> bytes | None:
    """An announcement as JSON for everybody who listens; None if it is gone."""
    view = await find_announcement(session, announcement_id, links.base)
    return None if view is None else msgspec.json.encode(render_announcement(view, links, signed_in=False))
