"""Markers: https://docs.joinmastodon.org/methods/markers/"""

from typing import Any

from msgspec import Struct

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.api.params import Id
from phiomia.domain.timelines.markers import TIMELINES, Marker, load_markers, set_marker
from phiomia.platform.clock import iso
from phiomia.platform.db import Conflict, WriteSession


class MarkersParams(Struct, kw_only=True):
    """Whose markers."""

    timeline: list[str] = []


class MarkerPlace(Struct, kw_only=True):
    """How far somebody has read."""

    last_read_id: Id


class SetMarkers(Struct, kw_only=True):
    """New places."""

    home: MarkerPlace | None = None
    notifications: MarkerPlace | None = None


@endpoint("GET", "/api/v1/markers", scopes=("read:statuses",), returns="map<entity:Marker>")
async def markers(call: Call, params: MarkersParams) -> object:
    """Where the account stopped reading."""
    async with call.api.db.read() as session:
        return _render(await load_markers(session, call.actor, params.timeline or TIMELINES))


@endpoint("POST", "/api/v1/markers", scopes=("write:statuses",), returns="map<entity:Marker>")
async def set_markers(call: Call, params: SetMarkers) -> object:
    """Moves markers."""
    places = {
        name: place.last_read_id
        for name, place in (("home", params.home), ("notifications", params.notifications))
        if place is not None
    }

    async def move(session: WriteSession) -> dict[str, Marker]:
        for name, last_read_id in places.items():
            await set_marker(session, call.actor, name, last_read_id)
        return await load_markers(session, call.actor, list(places))

    try:
        return _render(await call.api.db.write(move))
    except Conflict:
        raise ApiError(409, "Conflict during update, please try again") from None


def _render(found: dict[str, Marker]) -> dict[str, Any]:
    return {
        name: {
            "last_read_id": str(marker.last_read_id),
            "version": marker.version,
            "updated_at": iso(marker.updated_at),
        }
        for name, marker in found.items()
    }
