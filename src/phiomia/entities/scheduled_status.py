"""The entity ScheduledStatus."""

from collections.abc import Sequence
from typing import Any

import msgspec

from phiomia.domain.media.views import MediaView
from phiomia.domain.statuses.scheduled import ScheduledView
from phiomia.entities.links import Links
from phiomia.entities.media_attachment import render_media
from phiomia.platform.clock import iso


def render_scheduled(view: ScheduledView, media: Sequence[MediaView], links: Links) -> dict[str, Any]:
    """A status that waits for its time."""
    asked = view.asked()
    return {
        "id": str(view.id),
        "scheduled_at": iso(view.scheduled_at),
        "params": msgspec.to_builtins(asked) | {"sensitive": bool(asked.sensitive)},
        "media_attachments": [render_media(one, links) for one in media],
    }
