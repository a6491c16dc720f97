"""The entity Relationship."""

from typing import Any

from phiomia.domain.relationships.views import RelationshipView
from phiomia.platform.clock import iso


def render_relationship(view: RelationshipView) -> dict[str, Any]:
    """What holds between the viewer and an account."""
    return {
        "id": str(view.id),
        "following": bool(view.following),
        "showing_reblogs": bool(view.showing_reblogs),
        "notifying": bool(view.notifying),
        "languages": None if view.languages is None else list(view.languages),
        "followed_by": bool(view.followed_by),
        "blocking": bool(view.blocking),
        "blocked_by": bool(view.blocked_by),
        "muting": bool(view.muting),
        "muting_notifications": bool(view.muting_notifications),
        "muting_expires_at": None if view.muting_expires_at is None else iso(view.muting_expires_at),
        "requested": bool(view.requested),
        "requested_by": bool(view.requested_by),
        "domain_blocking": bool(view.domain_blocking),
        "endorsed": bool(view.endorsed),
        "note": view.note,
    }
