"""The entity Poll."""

from typing import Any

from phiomia.domain.statuses.views import PollView
from phiomia.entities.emoji import render_emoji
from phiomia.entities.links import Links
from phiomia.platform.clock import iso


def render_poll(view: PollView, now: int, links: Links) -> dict[str, Any]:
    """What anybody sees of a poll at a moment; `voted` and `own_votes` are the viewer's."""
    expired = view.expires_at is not None and view.expires_at <= now
    hide = view.hide_totals and not expired
    return {
        "id": str(view.id),
        "expires_at": None if view.expires_at is None else iso(view.expires_at),
        "expired": expired,
        "multiple": bool(view.multiple),
        "votes_count": sum(option.votes_count for option in view.options),
        "voters_count": view.voters_count,
        "options": [
            {"title": option.title, "votes_count": None if hide else option.votes_count} for option in view.options
        ],
        "emojis": [render_emoji(emoji, links) for emoji in view.emojis],
    }


def with_votes(poll: dict[str, Any], view: PollView, viewer: int, choices: list[int]) -> dict[str, Any]:
    """The poll as a signed-in viewer sees it. Authors count as having voted: they can't."""
    return poll | {"voted": bool(choices) or view.account_id == viewer, "own_votes": choices}
