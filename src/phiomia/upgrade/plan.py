"""Works out what an upgrade has to do: which releases, in which legs, which steps in which order.

Pure: releases, their ancestry, what was done before (the ledger) and facts of the server come in, a Plan or a
Refused comes out. Releases count by ancestry, not by number: 1.4.9 may be younger than 1.5.0 and not part of it.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from phiomia.upgrade import conditions
from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.conditions import ConditionError, Value
from phiomia.upgrade.manifest import PHASES, RESTARTS, Manifest, Restart, Step
from phiomia.upgrade.versions import Order, is_prerelease, meets, version_order

_BUILD_SECONDS = 20.0
_BACKUP_MB_PER_SECOND = 40.0
_RESTART_SECONDS = 10.0


class PlanError(ValueError):
    """The releases contradict themselves: no server could follow them."""


@dataclass(frozen=True)
class Facts:
    """What is known of the server. `named` is what conditions and amounts may ask for."""

    python: str = ""
    database: str = ""  # sqlite | postgresql
    database_version: str = ""
    disk_free_mb: float | None = None
    ram_free_mb: float | None = None
    applied: frozenset[str] | None = None  # revisions; None: those of the installed releases
    unfinished_backfills: tuple[str, ...] = ()
    running_upgrade: str = ""
    highest_seen: str = ""
    named: Mapping[str, Value] = field(default_factory=dict)


class PlannedStep(NamedTuple):
    """A step within a leg; `skipped` says why it will not run. Steps of our own have no `run`."""

    id: str
    phase: str
    title: str
    run: str
    releases: tuple[str, ...]
    seconds: float | None
    repeat: bool = False
    only_if: str = ""
    skipped: str = ""
    reversible: str = "noop"
    manual: str = ""
    docs: str = ""


class Leg(NamedTuple):
    """One hop: from what runs then to a release."""

    start: str
    end: str
    releases: tuple[str, ...]
    reason: str
    steps: tuple[PlannedStep, ...]
    restart: Restart
    downtime_s: float
    downtime_reasons: tuple[str, ...]
    disk_mb: float
    ram_mb: float

    @property
    def seconds(self) -> float | None:
        """The estimated time, unless a step's is not known."""
        times = [step.seconds for step in self.steps if not step.skipped]
        known = [time for time in times if time is not None]
        return sum(known) if len(known) == len(times) else None


class Refusal(NamedTuple):
    """A reason against the upgrade; `code` is for programs."""

    code: str
    reason: str


class Refused(NamedTuple):
    """There is no plan as things are."""

    installed: str
    target: str
    refusals: tuple[Refusal, ...]


class Plan(NamedTuple):
    """What will be done, leg after leg; none when there is nothing to do. `signed` says who has signed what."""

    installed: str
    target: str
    legs: tuple[Leg, ...]
    warnings: tuple[str, ...]
    signed: tuple[str, ...] = ()


class Releases(NamedTuple):
    """Manifests by version, and which releases each contains, itself among them."""

    manifests: Mapping[str, Manifest]
    contains: Mapping[str, frozenset[str]]


def plan(
    installed: Place,
    target: str,
    releases: Releases,
    ledger: Collection[str] = (),
    facts: Facts | None = None,
    *,
    allow_prerelease: bool = False,
    backup: str = "auto",
) -> Plan | Refused:
    """Plans the way from what is installed to a release. Raises PlanError when the manifests contradict themselves.

    `backup` is always, never, or auto: where something could only be undone by one.
    """
    facts = facts or Facts()
    refusals = _refuse_target(installed, target, releases, facts, allow_prerelease)
    if refusals:
        return Refused(installed.name, target, tuple(refusals))
    ends = _find_ends(installed, target, releases, facts, allow_prerelease)
    if isinstance(ends, Refusal):
        return Refused(installed.name, target, (ends,))
    legs, bases, done = [], _bases(installed, ends, releases), set(ledger)
    for base, end in zip(bases, ends, strict=False):
        reason = _explain_end(base, end, target, releases, facts if base is installed else None)
        try:
            legs.append(_keep_backup(_plan_leg(base, end, reason, releases, done, facts), backup))
        except ConditionError as error:
            refusals.append(Refusal("facts", str(error)))
            continue
        done.update(step.id for step in legs[-1].steps if step.run and not step.skipped)
    refusals += _refuse_server(legs, releases, facts)
    if refusals:
        return Refused(installed.name, target, tuple(dict.fromkeys(refusals)))
    return Plan(installed.name, target, tuple(legs), tuple(_warn(installed, target, releases)))


def list_missing(
    base: Place, target: str, releases: Releases, ledger: Collection[str], facts: Facts
) -> list[PlannedStep]:
    """What releases on the way from one to another ask for and the ledger lacks. Raises PlanError, ConditionError."""
    covered = sort_releases(releases.contains[target] - base.contains, releases.contains)
    found = _order(_collect_steps([releases.manifests[version] for version in covered], ledger))
    named = {**facts.named, **_measured(facts)}
    shown = [_show_step(step, origins, named, own=False) for step, origins in found if step.id not in ledger]
    return [step for step in shown if not step.skipped]


def sort_releases(versions: Iterable[str], contains: Mapping[str, frozenset[str]]) -> list[str]:
    """Ancestors first; among those that are neither, mostly the one with less behind it."""
    # Whatever comes after a release contains all of it and itself, so it contains more.
    return sorted(versions, key=lambda version: (len(contains[version]), version_order(version)))


# Refusals


def _refuse_target(
    installed: Place, target: str, releases: Releases, facts: Facts, allow_prerelease: bool
) -> list[Refusal]:
    if target not in releases.manifests or target not in releases.contains:
        return [Refusal("unknown", f"There is no release {target}.")]
    found = []
    older = version_order(target) < _newest_order(installed)
    if installed.name != target and (older or target in installed.contains):
        found.append(Refusal("downgrade", f"{target} is older than {installed.name}: to go back is a rollback."))
    elif facts.highest_seen and version_order(target) < version_order(facts.highest_seen):
        found.append(Refusal("downgrade", f"{target} is older than {facts.highest_seen}, which this server has seen."))
    if releases.manifests[target].channel != "stable" and not allow_prerelease:
        found.append(Refusal("prerelease", f"{target} is not finished; it has to be asked for (--allow-prerelease)."))
    if facts.running_upgrade:
        found.append(Refusal("running", f"Another upgrade is under way: {facts.running_upgrade}."))
    if facts.unfinished_backfills:
        names = ", ".join(facts.unfinished_backfills)
        found.append(Refusal("backfill", f"The last upgrade still fills in {names}; wait until that is done."))
    missing = releases.contains[target] - installed.contains - set(releases.manifests)
    if missing:
        found.append(Refusal("manifest", f"{target} lacks the manifest of {min(missing, key=version_order)}."))
    return found


def _newest_order(place: Place) -> Order:
    return max((version_order(version) for version in place.contains), default=(-1, 0, 0, 0, 0))


def _refuse_server(legs: Sequence[Leg], releases: Releases, facts: Facts) -> list[Refusal]:
    found = []
    for leg in legs:
        wanted = releases.manifests[leg.end].requires
        for code, name, bound, have in (
            ("python", "Python", wanted.python, facts.python),
            ("database", "PostgreSQL", wanted.postgres, _database_version(facts, "postgresql")),
            ("database", "SQLite", wanted.sqlite, _database_version(facts, "sqlite")),
        ):
            if bound and have and not meets(have, bound):
                found.append(Refusal(code, f"{leg.end} needs {name} {bound}, this server has {have}."))
        for code, what, needed, free in (
            ("disk", "disk space", leg.disk_mb, facts.disk_free_mb),
            ("memory", "free memory", leg.ram_mb, facts.ram_free_mb),
        ):
            if free is not None and free < needed:
                reason = f"{leg.end} needs {needed:,.0f} MB of {what}, this server has {free:,.0f} MB."
                found.append(Refusal(code, reason))
    return found


def _database_version(facts: Facts, kind: str) -> str:
    return facts.database_version if facts.database == kind else ""


def _warn(installed: Place, target: str, releases: Releases) -> Iterable[str]:
    lost = installed.contains - releases.contains[target]
    if lost:
        names = ", ".join(sorted(lost, key=version_order))
        yield f"{target} was not made from {names}, so it may lack what was mended there."
    if installed.name.endswith("+unreleased"):
        yield "What is installed is no release: only what releases ask for is planned."


# Legs


def _find_ends(
    installed: Place, target: str, releases: Releases, facts: Facts, allow_prerelease: bool
) -> list[str] | Refusal:
    """The fewest legs that may be gone; among equals each goes as far as it can."""
    if target in installed.contains:
        return []
    contains = releases.contains
    if _is_open(installed, target, releases, facts, first=True):
        return [target]
    newest = _newest_order(installed)
    possible = [
        version
        for version in sort_releases(contains[target] - installed.contains, contains)
        if version_order(version) > newest and (version == target or allow_prerelease or not is_prerelease(version))
    ]
    fresh = contains[target] - installed.contains
    stops = {version for version in fresh if releases.manifests[version].stop}
    if aside := stops - set(possible):
        return Refusal("stop", f"{min(aside)} must be passed through, but can't be reached from {installed.name}.")
    legs_left = {target: 0}
    for version in reversed(possible[:-1]):
        base = _after(installed, version, releases)
        reached = [legs_left[later] for later in legs_left if not _obstacle(base, later, releases, facts, first=False)]
        if reached:
            legs_left[version] = min(reached) + 1
    ends: list[str] = []
    base, first = installed, True
    while base.name != target:
        open_ends = [end for end in possible if end in legs_left and _is_open(base, end, releases, facts, first=first)]
        if not open_ends:
            return _obstacle(base, target, releases, facts, first=first) or Refusal("stop", "No way leads there.")
        end = min(open_ends, key=lambda one: (legs_left[one], -possible.index(one)))
        ends.append(end)
        base, first = _after(installed, end, releases), False
    return ends


def _is_open(base: Place, end: str, releases: Releases, facts: Facts, *, first: bool) -> bool:
    return end != base.name and _obstacle(base, end, releases, facts, first=first) is None


def _obstacle(base: Place, end: str, releases: Releases, facts: Facts, *, first: bool) -> Refusal | None:
    """Why one leg can't go from here to there."""
    if not first and base.name not in releases.contains[end]:
        return Refusal("stop", f"{end} does not follow {base.name}.")
    covered = sort_releases(releases.contains[end] - base.contains, releases.contains)
    for version in covered:
        manifest = releases.manifests[version]
        if manifest.stop and version != end:
            return Refusal("stop", f"{version} must be passed through: {manifest.stop_reason}")
        if manifest.min_from and manifest.min_from not in base.contains:
            return Refusal("min_from", f"{version} can be reached from {manifest.min_from} on, not from {base.name}.")
    return needs_contract_first(base, covered, releases, facts if first else None)


def needs_contract_first(
    base: Place, covered: Sequence[str], releases: Releases, facts: Facts | None
) -> Refusal | None:
    """Whether an expand revision of these releases builds on a contract revision that is not applied before them.

    All expands of a leg run before its first contract, so such a contract has to be in an earlier leg.
    """
    coming = {revision: version for version in covered for revision in releases.manifests[version].schema.contracts}
    applied = facts.applied if facts else None
    for version in covered:
        for expand, contracts in releases.manifests[version].schema.needs.items():
            for contract in contracts:
                if applied is not None and contract in applied:
                    continue
                if contract in coming:
                    reason = f"{expand} of {version} builds on {contract}, which {coming[contract]} applies at its end."
                    return Refusal("schema", reason)
                if applied is not None:
                    reason = f"{expand} of {version} builds on {contract}, which is not applied yet on {base.name}."
                    return Refusal("contract", reason)
    return None


def _bases(installed: Place, ends: Sequence[str], releases: Releases) -> list[Place]:
    return [installed, *(_after(installed, end, releases) for end in ends)]


def _after(installed: Place, end: str, releases: Releases) -> Place:
    # Who comes from a maintenance branch has done what is on it, even where a leg ends before it is merged.
    return Place(end, releases.contains[end] | installed.contains)


def _explain_end(base: Place, end: str, target: str, releases: Releases, facts: Facts | None) -> str:
    manifest = releases.manifests[end]
    if end == target:
        return "target"
    if manifest.stop:
        return f"stop: {manifest.stop_reason}"
    obstacle = _obstacle(base, target, releases, facts or Facts(), first=facts is not None)
    return f"{obstacle.code}: {obstacle.reason}" if obstacle else "needed by what follows"


def _plan_leg(base: Place, end: str, reason: str, releases: Releases, done: Collection[str], facts: Facts) -> Leg:
    covered = sort_releases(releases.contains[end] - base.contains, releases.contains)
    manifests = [releases.manifests[version] for version in covered]
    restart = Restart(**{role: _most(role, manifests) for role in RESTARTS})
    own = _own_steps(manifests, restart, facts)
    steps = _order([*own, *_collect_steps(manifests, done)])
    named = {**facts.named, **_measured(facts)}
    return Leg(
        start=base.name,
        end=end,
        releases=tuple(covered),
        reason=reason,
        steps=tuple(_show_step(step, origins, named, own=step in [one for one, _ in own]) for step, origins in steps),
        restart=restart,
        downtime_s=sum(one.downtime.expected_s for one in manifests),
        downtime_reasons=tuple(dict.fromkeys(one.downtime.reason for one in manifests if one.downtime.expected_s)),
        disk_mb=max(_amount(one.requires.disk_free_mb, named) for one in manifests),
        ram_mb=max(_amount(one.requires.ram_free_mb, named) for one in manifests),
    )


_Origin = tuple[Step, tuple[str, ...]]


def _keep_backup(leg: Leg, backup: str) -> Leg:
    """The leg with or without its backup."""
    skipped = {"always": "", "never": "asked for none"}.get(backup, _why_no_backup(leg))
    if not skipped:
        return leg
    steps = [step._replace(skipped=skipped) if step.id == "backup" else step for step in leg.steps]
    return leg._replace(steps=tuple(steps))


def _why_no_backup(leg: Leg) -> str:
    changes = any(step.id in ("migrate-expand", "migrate-contract") for step in leg.steps)
    final = any(step.run and not step.skipped and step.reversible == "restore" for step in leg.steps)
    return "" if changes or final else "neither schema nor data change"


def _collect_steps(manifests: Sequence[Manifest], done: Collection[str]) -> list[_Origin]:
    found: dict[str, tuple[Step, list[str]]] = {}
    for manifest in manifests:
        for step in manifest.steps:
            if step.id in found:
                found[step.id] = (step, [*found[step.id][1], manifest.version])
            else:
                found[step.id] = (step, [manifest.version])
    return [(step, tuple(origins)) for step, origins in found.values() if step.repeat or step.id not in done]


def _own_steps(manifests: Sequence[Manifest], restart: Restart, facts: Facts) -> list[_Origin]:
    """What every upgrade does; nothing is listed that has nothing to do."""
    versions = tuple(one.version for one in manifests)
    expands = [revision for one in manifests for revision in one.schema.expands]
    contracts = [revision for one in manifests for revision in one.schema.contracts]
    made = [
        ("fetch", "fetch", f"Fetch and verify {versions[-1]}"),
        ("build", "build", f"Build {versions[-1]} beside what runs"),
        ("backup", "backup", "Back up the database and the settings"),
    ]
    if expands:
        made.append(("migrate-expand", "expand", f"Add to the schema: {', '.join(expands)}"))
    made.append(("switch", "workers", f"Make {versions[-1]} the current release"))
    for role, phase in (("workers", "workers"), ("web", "web"), ("streaming", "streaming")):
        need = getattr(restart, role)
        if need != "none":
            made.append((f"restart-{role}", phase, f"Bring {role} to {versions[-1]} ({need})"))
    if expands:
        made.append(("backfills", "backfill", "Fill in what is new in the schema"))
    if contracts:
        made.append(("settle", "settle", "Wait until no process of the old release is left"))
        made.append(("migrate-contract", "contract", f"Remove from the schema: {', '.join(contracts)}"))
    made.append(("cleanup", "cleanup", "Remove releases that nothing needs"))
    return [(Step(name, phase, title, "", repeat=True, reversible="noop"), versions) for name, phase, title in made]


def _order(found: Sequence[_Origin]) -> list[_Origin]:
    """By phase, then what a step needs, then the order of releases."""
    by_id = {step.id: (step, origins) for step, origins in found}
    places = {one: place for place, one in enumerate(by_id)}
    waits = {one: {need for need in step.needs if need in by_id} for one, (step, _) in by_id.items()}
    for one, needs in waits.items():
        for need in needs:
            if PHASES.index(by_id[need][0].phase) > PHASES.index(by_id[one][0].phase):
                raise PlanError(f"{one} needs {need}, which comes in a later phase")
    ready = [(PHASES.index(by_id[one][0].phase), places[one], one) for one, needs in waits.items() if not needs]
    heapq.heapify(ready)
    ordered: list[_Origin] = []
    while ready:
        one = heapq.heappop(ready)[2]
        ordered.append(by_id[one])
        del waits[one]
        for other, needs in waits.items():
            if one in needs:
                needs.discard(one)
                if not needs:
                    heapq.heappush(ready, (PHASES.index(by_id[other][0].phase), places[other], other))
    if waits:
        raise PlanError(f"steps wait for each other: {' → '.join(_find_cycle(waits))}")
    return ordered


def _find_cycle(waits: Mapping[str, set[str]]) -> list[str]:
    way = [min(waits)]
    while (following := min(waits[way[-1]])) not in way:
        way.append(following)
    return [*way[way.index(following) :], following]


def _show_step(step: Step, origins: tuple[str, ...], named: Mapping[str, Value], *, own: bool) -> PlannedStep:
    skipped = ""
    if step.only_if and not conditions.is_true(step.only_if, named):
        skipped = f"{step.only_if} is false"
    return PlannedStep(
        id=step.id,
        phase=step.phase,
        title=step.title,
        run=step.run,
        releases=origins,
        seconds=_own_seconds(step, named) if own else _seconds(step, named),
        repeat=step.repeat,
        only_if=step.only_if,
        skipped=skipped,
        reversible=step.reversible,
        manual=step.manual,
        docs=step.docs,
    )


def _seconds(step: Step, named: Mapping[str, Value]) -> float | None:
    if not step.cost.rows:
        return step.cost.seconds
    try:
        return step.cost.seconds + conditions.amount(step.cost.rows, named) / step.cost.per_s
    except conditions.UnknownFact:
        return None


def _own_seconds(step: Step, named: Mapping[str, Value]) -> float | None:
    if step.id == "backup":
        size = named.get("db_size")
        return float(size) / _BACKUP_MB_PER_SECOND if isinstance(size, int | float) else None
    return {"build": _BUILD_SECONDS}.get(step.id, _RESTART_SECONDS if step.id.startswith("restart-") else 0.0)


def _amount(text: str, named: Mapping[str, Value]) -> float:
    return conditions.amount(text, named) if text else 0.0


def _measured(facts: Facts) -> dict[str, Value]:
    kinds: dict[str, Value] = {name: facts.database == name for name in ("sqlite", "postgresql")}
    return kinds if facts.database else {}


def _most(role: str, manifests: Sequence[Manifest]) -> str:
    words = RESTARTS[role]
    return words[max(words.index(getattr(one.restart, role)) for one in manifests)]
