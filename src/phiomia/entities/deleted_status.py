"""The entity DeletedStatus: what a client needs to write the status anew."""

from typing import Any

import msgspec

from phiomia.domain.statuses.views import StatusRow


def render_deleted(entity: bytes, row: StatusRow) -> dict[str, Any]:
    """The Status as it was, with what the author typed in the place of its HTML."""
    status: dict[str, Any] = msgspec.json.decode(entity)
    del status["content"]
    shared = status["reblog"]
    return status | {"text": row.source, "reblog": None if shared is None else shared | {"text": ""}}
