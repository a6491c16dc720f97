"""The entity Conversation."""

from collections.abc import Sequence
from typing import Any

import msgspec

from phiomia.domain.statuses.conversations import ConversationView
from phiomia.domain.statuses.lines import load_lines_and_people
from phiomia.entities.fragments import Fragments
from phiomia.platform.db import ReadSession
from phiomia.platform.json import decode


async def render_conversations(
    fragments: Fragments, session: ReadSession, views: Sequence[ConversationView], viewer: int
) -> list[bytes]:
    """Conversations with their people and newest status."""
    last = [view.last_status_id for view in views if view.last_status_id]
    people: dict[int, list[int]] = {view.id: decode(view.participants) for view in views}
    everybody = sorted({one for many in people.values() for one in many})
    lines, revisions = await load_lines_and_people(session, last, viewer, everybody)
    statuses, accounts = await fragments.with_people(session, list(lines.values()), viewer, revisions)
    shown = []
    for view in views:
        status = statuses.get(view.last_status_id or 0)
        entity: dict[str, Any] = {
            "id": str(view.id),
            "unread": bool(view.unread),
            "accounts": [msgspec.Raw(accounts[one]) for one in people[view.id] if one in accounts],
            "last_status": None if status is None else msgspec.Raw(status),
        }
        shown.append(msgspec.json.encode(entity))
    return shown
