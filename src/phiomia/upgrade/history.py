"""What upgrades there were, and how they went."""

import json
from typing import Any, NamedTuple

from phiomia.upgrade.database import connect, is_there
from phiomia.upgrade.journal import Journal, list_journals, tell
from phiomia.upgrade.mirror import TABLE
from phiomia.upgrade.places import Places

_ENTRIES = f"SELECT plan_id, entry FROM {TABLE} ORDER BY plan_id, position"  # noqa: S608 (the table's name is ours)


class Upgrade(NamedTuple):
    """One upgrade; times are seconds since 1970, and seconds of work."""

    id: str
    start: str
    target: str
    state: str
    reason: str
    began: float
    ended: float
    seconds: float
    phases: dict[str, float]
    user: str
    host: str
    noticed: dict[str, Any]  # what was seen from outside meanwhile; empty when nothing served


def list_upgrades(places: Places, database_url: str) -> list[Upgrade]:
    """All of them, the oldest first: from the journals here, and those that only the database remembers."""
    found = {journal.id: describe(journal.id, journal.entries) for journal in list_journals(places.journal)}
    for plan_id, entries in _read_mirror(database_url).items():
        if plan_id not in found and any(entry["kind"] == "planned" for entry in entries):
            found[plan_id] = describe(plan_id, entries)
    return [found[plan_id] for plan_id in sorted(found)]


def describe(plan_id: str, entries: list[dict[str, Any]]) -> Upgrade:
    """One upgrade from its entries."""
    told = tell(entries)
    phases: dict[str, float] = {}
    for (leg, step_id), entry in told.done.items():
        step = next(one for one in told.plan["legs"][leg]["steps"] if one["id"] == step_id)
        phases[step["phase"]] = phases.get(step["phase"], 0.0) + float(entry["seconds"])
    return Upgrade(
        id=plan_id,
        start=str(told.plan["installed"]),
        target=str(told.plan["target"]),
        state=told.state,
        reason=told.reason,
        began=float(told.planned["at"]),
        ended=float(entries[-1]["at"]),
        seconds=sum(phases.values()),
        phases=phases,
        user=str(told.planned.get("user", "")),
        host=str(told.planned.get("host", "")),
        noticed=next((entry["summary"] for entry in reversed(entries) if entry["kind"] == "probed"), {}),
    )


def describe_journal(journal: Journal) -> Upgrade:
    """One upgrade from its journal."""
    return describe(journal.id, journal.entries)


def _read_mirror(database_url: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    if is_there(database_url):
        with connect(database_url) as connection:
            for plan_id, entry in connection.rows(_ENTRIES) if connection.has_table(TABLE) else ():
                found.setdefault(str(plan_id), []).append(json.loads(entry))
    return found
