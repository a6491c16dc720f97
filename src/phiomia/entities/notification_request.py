"""The entity NotificationRequest, spliced like statuses."""

from collections.abc import Sequence

import msgspec

from phiomia.domain.notifications.requests import RequestView
from phiomia.domain.statuses.lines import load_lines_and_people
from phiomia.entities.fragments import Fragments
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession


async def render_requests(
    fragments: Fragments, session: ReadSession, views: Sequence[RequestView], viewer: int
) -> list[bytes]:
    """Senders who wait, with the last status of each, if it may still be seen."""
    wanted = sorted({view.last_status_id for view in views if view.last_status_id is not None})
    senders = sorted({view.from_account_id for view in views})
    lines, people = await load_lines_and_people(session, wanted, viewer, senders)
    statuses, accounts = await fragments.with_people(session, list(lines.values()), viewer, people)
    return [
        _render_request(view, accounts[view.from_account_id], statuses.get(view.last_status_id or 0))
        for view in views
        if view.from_account_id in accounts
    ]


def _render_request(view: RequestView, account: bytes, status: bytes | None) -> bytes:
    entity = {
        "id": str(view.id),
        "created_at": iso(view.created_at),
        "updated_at": iso(view.updated_at),
        "notifications_count": str(view.waiting),
        "account": msgspec.Raw(account),
        "last_status": None if status is None else msgspec.Raw(status),
    }
    return msgspec.json.encode(entity)
