"""The entity Notification, spliced like statuses."""

from collections.abc import Collection, Sequence

import msgspec

from phiomia.domain.notifications.views import NotificationRow
from phiomia.entities.fragments import Fragments
from phiomia.entities.notification_about import render_about
from phiomia.entities.notification_fallback import render_fallback
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession


async def render_notifications(
    fragments: Fragments,
    session: ReadSession,
    rows: Sequence[NotificationRow],
    viewer: int,
    *,
    supported: Collection[str] = (),
) -> list[bytes]:
    """Notifications with their accounts and statuses; those whose account, status or event is gone are left out.

    `supported`, if any are named: the types that the app knows; of others it is told in words.
    """
    senders = {row.from_account_id: row.from_rev for row in rows}
    statuses, accounts, about = await render_about(fragments, session, rows, viewer, senders)
    shown = []
    for row in rows:
        account = accounts.get(row.from_account_id)
        status = None if row.status_id is None else statuses.get(row.status_id)
        if account is None or (row.status_id is not None and status is None):
            continue
        if row.event_id is not None and row.id not in about:
            continue
        head = msgspec.json.encode(
            {"id": str(row.id), "type": row.type, "group_key": row.group_key, "created_at": iso(row.created_at)}
        )
        parts = [head[:-1], b',"account":', account]
        if status is not None:
            parts += [b',"status":', status]
        if row.id in about:
            name, entity = about[row.id]
            parts += [b',"%s":' % name.encode(), entity]
        if supported and row.type not in supported:
            parts += [b',"fallback":', render_fallback(row.type, account)]
        if row.filtered:
            parts.append(b',"filtered":true')
        shown.append(b"".join((*parts, b"}")))
    return shown
