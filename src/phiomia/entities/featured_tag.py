"""The entity FeaturedTag."""

from typing import Any

from phiomia.domain.statuses.featured_tags import FeaturedTagView
from phiomia.entities.links import Links
from phiomia.platform.clock import iso_day


def render_featured_tag(view: FeaturedTagView, links: Links) -> dict[str, Any]:
    """A hashtag on a profile."""
    return {
        "id": str(view.id),
        "name": view.name,
        "url": links.tag_of(view.username, view.key) if view.username else links.tag(view.key),
        "statuses_count": str(view.statuses_count),
        "last_status_at": None if view.last_status_at is None else iso_day(view.last_status_at),
    }
