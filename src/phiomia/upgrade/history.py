"""What upgrades there were, and how they went."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from phiomia.upgrade.database import connect, is_there
from phiomia.upgrade.journal import Journal, list_journals, tell
from phiomia.upgrade.mirror import TABLE
from phiomia.upgrade.observe import with_watches
from phiomia.upgrade.places import Places
from phiomia.upgrade.probe import judge, sum_up
from phiomia.upgrade.watch import STEP

_ENTRIES = f"SELECT plan_id, entry FROM {TABLE} ORDER BY plan_id, position"  # noqa: S608 (the table's name is ours)
_WATCHED = {"observed": "done", "tripped": "failed"}
_STATES = {"started": "begun", "done": "done", "failed": "failed", "undone": "undone"}


class Upgrade(NamedTuple):
    """One upgrade; times are seconds since 1970, seconds of work, and seconds for which its releases were watched."""

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
    watched: float = 0.0


class StepTaken(NamedTuple):
    """What became of a step; `state` is done, skipped, failed, begun, undone or left."""

    leg: int
    id: str
    phase: str
    title: str
    state: str
    seconds: float
    note: str


class Report(NamedTuple):
    """All that is known of one upgrade."""

    upgrade: Upgrade
    plan: str
    steps: list[StepTaken]
    entries: list[dict[str, Any]]


class NoSuchUpgrade(ValueError):
    """None, or more than one, has a name that begins so."""


def list_upgrades(places: Places, database_url: str) -> list[Upgrade]:
    """All of them, the oldest first: from the journals here, and those that only the database remembers."""
    known = _read_all(places, database_url)
    return [describe(plan_id, *known[plan_id]) for plan_id in sorted(known)]


def report_upgrade(places: Places, database_url: str, name: str) -> Report:
    """All about one, by its id or the beginning of it; `last` is the latest. Raises NoSuchUpgrade."""
    known = _read_all(places, database_url)
    found = [plan_id for plan_id in sorted(known) if plan_id.startswith(name)]
    if name == "last":
        found = sorted(known)[-1:]
    if name in known:
        found = [name]
    if len(found) != 1:
        how_many = "No upgrade has" if not found else f"{len(found)} upgrades have"
        raise NoSuchUpgrade(f"{how_many} an id that begins with {name}. `phiomia upgrade history` lists them.")
    entries, samples = known[found[0]]
    plan = tell(entries).plan
    steps = list(_list_steps(entries, plan))
    return Report(describe(found[0], entries, samples), str(plan.get("hash", "")), steps, entries)


def report_json(report: Report) -> dict[str, Any]:
    """What `--json` prints of one."""
    steps = [step._asdict() for step in report.steps]
    return {**report.upgrade._asdict(), "plan": report.plan, "steps": steps, "entries": report.entries}


def describe(plan_id: str, entries: list[dict[str, Any]], samples: Path | None = None) -> Upgrade:
    """One upgrade from its entries, and from what was seen so far when nobody has summed that up."""
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
        noticed=_find_noticed(entries, samples),
        watched=sum(float(entry["figures"]["seconds"]) for entry in entries if entry["kind"] in _WATCHED),
    )


def describe_journal(journal: Journal) -> Upgrade:
    """One upgrade from its journal."""
    return describe(journal.id, journal.entries, _samples_of(journal))


def _find_noticed(entries: list[dict[str, Any]], samples: Path | None) -> dict[str, Any]:
    summed = [entry["summary"] for entry in entries if entry["kind"] == "probed"]
    if summed or samples is None or not samples.exists():
        found: dict[str, Any] = summed[-1] if summed else {}
        return found
    summary = sum_up(samples, entries)
    return {**summary, "verdict": judge(summary)}


def _samples_of(journal: Journal) -> Path:
    return journal.path.with_suffix(".probe")


def _list_steps(entries: list[dict[str, Any]], plan: dict[str, Any]) -> Iterator[StepTaken]:
    last = {(entry["leg"], entry["step"]): entry for entry in entries if entry.get("kind") in _STATES}
    for leg, one in enumerate(with_watches(plan)["legs"]):
        for step in one["steps"]:
            if step["id"] == STEP:
                yield from _list_watches(entries, leg, step)
                continue
            entry = last.get((leg, step["id"]), {})
            state = "skipped" if step["skipped"] else _STATES.get(str(entry.get("kind")), "left")
            note = str(step["skipped"] or entry.get("note") or entry.get("reason") or "")
            seconds = float(entry.get("seconds", 0.0))
            yield StepTaken(leg, step["id"], step["phase"], step["title"], state, seconds, note)


def _list_watches(entries: list[dict[str, Any]], leg: int, step: dict[str, Any]) -> Iterator[StepTaken]:
    """The watch over a release; no step where nobody has watched."""
    for entry in [one for one in entries if one["kind"] in _WATCHED and one["leg"] == leg][-1:]:
        told = entry["figures"]
        if "requests" not in told:
            continue
        note = f"{told['requests']:.0f} requests, {told['errors']:.0f} failed, p95 {told['p95_ms']:.0f} ms"
        note += f", before {told['p95_ms_before']:.0f} ms" if told["p95_ms_before"] else ", too little was asked before"
        state, seconds = _WATCHED[str(entry["kind"])], float(told["seconds"])
        yield StepTaken(leg, step["id"], step["phase"], step["title"], state, seconds, str(entry.get("reason") or note))


def _read_all(places: Places, database_url: str) -> dict[str, tuple[list[dict[str, Any]], Path | None]]:
    found: dict[str, tuple[list[dict[str, Any]], Path | None]] = {
        journal.id: (journal.entries, _samples_of(journal)) for journal in list_journals(places.journal)
    }
    for plan_id, entries in _read_mirror(database_url).items():
        if plan_id not in found and any(entry["kind"] == "planned" for entry in entries):
            found[plan_id] = (entries, None)
    return found


def _read_mirror(database_url: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    if is_there(database_url):
        with connect(database_url) as connection:
            for plan_id, entry in connection.rows(_ENTRIES) if connection.has_table(TABLE) else ():
                found.setdefault(str(plan_id), []).append(json.loads(entry))
    return found
