"""Announcements: https://docs.joinmastodon.org/methods/announcements/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.moderation.announcements import dismiss, list_announcements, react, take_reaction_back
from phiomia.entities.announcement import render_announcement


@endpoint("GET", "/api/v1/announcements", returns="array<entity:Announcement>")
async def announcements(call: Call, params: None) -> object:
    """What those who run the server have to say."""
    async with call.api.db.read() as session:
        views = await list_announcements(session, call.actor, call.api.base_url)
    return [render_announcement(view, call.api.fragments.links, signed_in=True) for view in views]


@endpoint("POST", "/api/v1/announcements/:id/dismiss", scopes=("write:accounts",), returns="empty")
async def mark_read(call: Call, params: None) -> object:
    """Marks an announcement as read."""
    announcement_id = call.id
    await call.api.db.write(lambda session: dismiss(session, call.actor, announcement_id))
    return {}


@endpoint("PATCH", "/api/v1/announcements/:id/reactions/:name", scopes=("write:favourites",), returns="empty")
@endpoint("PUT", "/api/v1/announcements/:id/reactions/:name", scopes=("write:favourites",), returns="empty")
async def add_reaction(call: Call, params: None) -> object:
    """Reacts to an announcement with an emoji."""
    announcement_id, name = call.id, call.path["name"]
    await call.api.db.write(lambda session: react(session, call.actor, announcement_id, name))
    return {}


@endpoint("DELETE", "/api/v1/announcements/:id/reactions/:name", scopes=("write:favourites",), returns="empty")
async def remove_reaction(call: Call, params: None) -> object:
    """Takes a reaction back."""
    announcement_id, name = call.id, call.path["name"]
    await call.api.db.write(lambda session: take_reaction_back(session, call.actor, announcement_id, name))
    return {}
