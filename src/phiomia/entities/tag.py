"""The entity Tag."""

from collections.abc import Iterable
from typing import Any

from phiomia.domain.tags.queries import TagView
from phiomia.entities.links import Links


def render_tag(
    view: TagView,
    history: Iterable[tuple[int, int, int]],
    links: Links,
    *,
    following: bool | None = None,
    featuring: bool | None = None,
) -> dict[str, Any]:
    """A hashtag; `history` holds (day in ms, uses, accounts). What is None is left out: nobody is signed in."""
    tag: dict[str, Any] = {
        "id": str(view.id),
        "name": view.display_name or view.name,
        "url": links.tag(view.name),
        "history": [
            {"day": str(day // 1000), "uses": str(uses), "accounts": str(accounts)} for day, uses, accounts in history
        ],
    }
    if following is not None:
        tag["following"] = following
    if featuring is not None:
        tag["featuring"] = featuring
    return tag
