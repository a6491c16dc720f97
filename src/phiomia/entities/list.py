"""The entity List."""

from typing import Any

from phiomia.domain.relationships.lists import ListView, RepliesPolicy


def render_list(view: ListView) -> dict[str, Any]:
    """A list as its owner sees it."""
    return {
        "id": str(view.id),
        "title": view.title,
        "replies_policy": RepliesPolicy(view.replies_policy).name.lower(),
        "exclusive": bool(view.exclusive),
    }
