"""The entity Translation."""

from collections.abc import Sequence
from typing import Any

from phiomia.domain.statuses.views import StatusView


def render_translation(
    view: StatusView, texts: Sequence[str], *, language: str, source: str, provider: str
) -> dict[str, Any]:
    """A status in another language; `texts` in the order of `list_texts`."""
    content, warning, *rest = texts
    options = rest[: len(view.poll.options)] if view.poll else []
    described = rest[len(options) :]
    poll = {"id": str(view.poll.id), "options": [{"title": title} for title in options]} if view.poll else None
    return {
        "content": content,
        "spoiler_text": warning,
        "language": language,
        "poll": poll,
        "media_attachments": [
            {"id": str(one.id), "description": text} for one, text in zip(view.media, described, strict=True)
        ],
        "detected_source_language": source,
        "provider": provider,
    }
