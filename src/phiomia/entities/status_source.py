"""The entity StatusSource."""

from phiomia.domain.statuses.views import StatusRow


def render_source(row: StatusRow) -> dict[str, str]:
    """What the author typed; what came from elsewhere has its HTML alone."""
    return {"id": str(row.id), "text": row.source or row.content, "spoiler_text": row.spoiler_text}
