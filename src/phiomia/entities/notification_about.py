"""What notifications are about beside posts.

The entities Report, RelationshipSeveranceEvent, AccountWarning and Collection.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from phiomia.domain.collections.queries import load_collections
from phiomia.domain.moderation.report import ReportView, load_reports
from phiomia.domain.moderation.warn import WarningView, load_warnings
from phiomia.domain.notifications.types import OF_COLLECTIONS, NotificationType
from phiomia.domain.notifications.views import NotificationRow
from phiomia.domain.relationships.severance import SeveranceKind, SeveranceView, load_severances
from phiomia.entities.collection import render_collection
from phiomia.entities.fragments import Fragments
from phiomia.entities.report import render_report
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession

_LOADERS: dict[str, tuple[str, Any]] = {
    NotificationType.ADMIN_REPORT: ("report", load_reports),
    NotificationType.SEVERED: ("event", load_severances),
    NotificationType.WARNING: ("moderation_warning", load_warnings),
}
_View = ReportView | SeveranceView | WarningView


async def render_about(
    fragments: Fragments, session: ReadSession, rows: Sequence[NotificationRow], viewer: int
) -> dict[int, tuple[str, bytes]]:
    """By the id of the notification, the name of the field and the entity; nothing for what is gone."""
    collections = {row.id: row.event_id for row in rows if row.event_id is not None and row.type in OF_COLLECTIONS}
    shown = await _render_collections(fragments, session, collections, viewer) if collections else {}
    return shown | await _render_events(fragments, session, rows)


async def _render_collections(
    fragments: Fragments, session: ReadSession, wanted: Mapping[int, int], viewer: int
) -> dict[int, tuple[str, bytes]]:
    views = await load_collections(session, viewer, sorted(set(wanted.values())))
    bodies = {id_: msgspec.json.encode(render_collection(view, fragments.links)) for id_, view in views.items()}
    return {row: ("collection", bodies[id_]) for row, id_ in wanted.items() if id_ in bodies}


async def _render_events(
    fragments: Fragments, session: ReadSession, rows: Sequence[NotificationRow]
) -> dict[int, tuple[str, bytes]]:
    wanted: dict[str, dict[int, int]] = {}
    for row in rows:
        if row.event_id is not None and row.type in _LOADERS:
            wanted.setdefault(row.type, {})[row.id] = row.event_id
    if not wanted:
        return {}
    found: dict[int, tuple[str, _View]] = {}
    for type_, events in wanted.items():
        name, load = _LOADERS[type_]
        views = await load(session, sorted(set(events.values())))
        found |= {id_: (name, views[event_id]) for id_, event_id in events.items() if event_id in views}
    people = {_about_whom(view) for _, view in found.values()}
    accounts = await fragments.accounts(session, sorted(people))
    return {
        id_: (name, msgspec.json.encode(_render(view, accounts[_about_whom(view)])))
        for id_, (name, view) in found.items()
        if _about_whom(view) in accounts
    }


def _about_whom(view: _View) -> int:
    return view.target_id if isinstance(view, ReportView) else view.account_id


def _render(view: _View, account: bytes) -> dict[str, Any]:
    match view:
        case ReportView():
            return render_report(view, account)
        case SeveranceView():
            return {
                "id": str(view.id),
                "type": SeveranceKind(view.kind).word,
                # Apps offer the list of who it was unless it is gone; none is kept.
                "purged": True,
                "target_name": view.target_name,
                "followers_count": view.followers,
                "following_count": view.following,
                "created_at": iso(view.created_at),
            }
    return {
        "id": str(view.id),
        "action": view.action,
        "text": view.text,
        "status_ids": [str(id_) for id_ in view.status_ids] or None,
        "target_account": msgspec.Raw(account),
        "appeal": None,
        "created_at": iso(view.created_at),
    }
