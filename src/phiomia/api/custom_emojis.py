"""Custom emoji: https://docs.joinmastodon.org/methods/custom_emojis/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.instance.emojis import list_emojis
from phiomia.entities.emoji import render_emoji


@endpoint("GET", "/api/v1/custom_emojis", access="public", returns="array<entity:CustomEmoji>")
async def custom_emojis(call: Call, params: None) -> object:
    """The server's own emoji."""
    async with call.api.db.read() as session:
        return [render_emoji(view, call.api.fragments.links) for view in await list_emojis(session)]
