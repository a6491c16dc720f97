"""Preferences: https://docs.joinmastodon.org/methods/preferences/"""

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.users.preferences import load_preferences
from phiomia.entities.preferences import render_preferences


@endpoint("GET", "/api/v1/preferences", scopes=("read:accounts",), returns="entity:Preferences")
async def preferences(call: Call, params: None) -> object:
    """What the person has chosen for posting and reading."""
    async with call.api.db.read() as session:
        return render_preferences(await load_preferences(session, call.actor))
