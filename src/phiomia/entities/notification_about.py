"""What notifications are about beside posts.

The entities Report, RelationshipSeveranceEvent, AccountWarning and Collection.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from phiomia.domain.collections.queries import ITEMS, MANY, read_collections
from phiomia.domain.moderation import report, warn
from phiomia.domain.moderation.report import ReportView, read_reports
from phiomia.domain.moderation.warn import WarningView, read_warnings
from phiomia.domain.notifications.types import OF_COLLECTIONS, NotificationType
from phiomia.domain.notifications.views import NotificationRow
from phiomia.domain.relationships import severance
from phiomia.domain.relationships.severance import SeveranceKind, SeveranceView, read_severances
from phiomia.domain.statuses.lines import read_lines
from phiomia.domain.statuses.queries import GIVEN, rows_of
from phiomia.entities.collection import render_collection
from phiomia.entities.fragments import Fragments
from phiomia.entities.links import Links
from phiomia.entities.report import render_report
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession
from phiomia.platform.db.together import Together

_View = ReportView | SeveranceView | WarningView
_EVENTS: dict[str, tuple[str, str, Callable[[Sequence[Sequence[Any]]], Mapping[int, _View]]]] = {
    NotificationType.ADMIN_REPORT: ("report", "report", read_reports),
    NotificationType.SEVERED: ("event", "severance", read_severances),
    NotificationType.WARNING: ("moderation_warning", "warning", read_warnings),
}
_PEOPLE = ("report_people", "severance_people", "warning_people")
# Most pages tell of posts and people alone.
_WITH_EVENTS = Together(
    {
        "lines": GIVEN,
        "collection": MANY,
        "items": ITEMS,
        "report": report.BY_ID,
        "report_people": report.PEOPLE,
        "severance": severance.BY_ID,
        "severance_people": severance.PEOPLE,
        "warning": warn.BY_ID,
        "warning_people": warn.PEOPLE,
    }
)


class Told(NamedTuple):
    """What notifications are shown with.

    `statuses` and `accounts` are entities by id; `about` has, by the id of the notification, the name of a field and
    the entity in it.
    """

    statuses: dict[int, bytes]
    accounts: dict[int, bytes]
    about: dict[int, tuple[str, bytes]]


async def render_about(
    fragments: Fragments,
    session: ReadSession,
    rows: Sequence[NotificationRow],
    viewer: int,
    senders: Mapping[int, int],
) -> Told:
    """What notifications tell of, and `senders`, accounts with their revisions; nothing for what is gone."""
    wanted = sorted({row.status_id for row in rows if row.status_id is not None})
    events = [row for row in rows if row.event_id is not None and (row.type in OF_COLLECTIONS or row.type in _EVENTS)]
    if events:
        found = await _WITH_EVENTS.ask(session, **_asked(events, wanted, viewer))
        lines = read_lines(found)
    elif wanted:
        found = {}
        lines = await rows_of(session, wanted, viewer)
    else:
        return Told({}, await fragments.accounts_at(session, senders.items()), {})
    people = {**senders, **{row[0]: row[1] for name in _PEOPLE for row in found.get(name, ())}}
    statuses, accounts = await fragments.with_people(session, list(lines.values()), viewer, people)
    shown = {id_: body for id_, body in accounts.items() if id_ in senders}
    return Told(statuses, shown, _render_events(events, found, accounts, (viewer, fragments.links)))


def _asked(events: Sequence[NotificationRow], wanted: list[int], viewer: int) -> dict[str, Any]:
    ids: dict[str, list[int]] = {"collection": [], "report": [], "severance": [], "warning": []}
    for row in events:
        ids[_kind_of(row)].append(row.event_id or 0)
    listed = {f"{kind}_ids": sorted(set(many)) for kind, many in ids.items()}
    return {"ids": wanted, "viewer": viewer, **listed}


def _kind_of(row: NotificationRow) -> str:
    return "collection" if row.type in OF_COLLECTIONS else _EVENTS[row.type][1]


def _render_events(
    events: Sequence[NotificationRow],
    found: Mapping[str, Sequence[Sequence[Any]]],
    accounts: Mapping[int, bytes],
    shown_to: tuple[int, Links],
) -> dict[int, tuple[str, bytes]]:
    if not events:
        return {}
    viewer, links = shown_to
    collections = read_collections(found["collection"], found["items"], viewer)
    entities: dict[str, dict[int, tuple[str, bytes]]] = {
        "collection": {
            id_: ("collection", msgspec.json.encode(render_collection(view, links)))
            for id_, view in collections.items()
        }
    }
    for field, kind, read in _EVENTS.values():
        entities[kind] = {
            id_: (field, msgspec.json.encode(_render(view, accounts[_about_whom(view)])))
            for id_, view in read(found[kind]).items()
            if _about_whom(view) in accounts
        }
    made = {row.id: entities[_kind_of(row)].get(row.event_id or 0) for row in events}
    return {id_: entity for id_, entity in made.items() if entity is not None}


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
