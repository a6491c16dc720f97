"""The steps of a leg: those of its releases, each once and in an order that suits them, and how long they take."""

import heapq
from collections.abc import Collection, Mapping, Sequence

from phiomia.upgrade import conditions
from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.conditions import Value
from phiomia.upgrade.manifest import PHASES, Manifest, Step
from phiomia.upgrade.plan_ends import sort_releases
from phiomia.upgrade.planned import Facts, PlanError, PlannedStep, Releases

_BUILD_SECONDS = 20.0
_BACKUP_MB_PER_SECOND = 40.0
_RESTART_SECONDS = 10.0
Origin = tuple[Step, tuple[str, ...]]


def list_missing(
    base: Place, target: str, releases: Releases, ledger: Collection[str], facts: Facts
) -> list[PlannedStep]:
    """What releases on the way from one to another ask for and the ledger lacks. Raises PlanError, ConditionError."""
    covered = sort_releases(releases.contains[target] - base.contains, releases.contains)
    found = order_steps(collect_steps([releases.manifests[version] for version in covered], ledger))
    named = {**facts.named, **measure(facts)}
    shown = [show_step(step, origins, named, own=False) for step, origins in found if step.id not in ledger]
    return [step for step in shown if not step.skipped]


def collect_steps(manifests: Sequence[Manifest], done: Collection[str]) -> list[Origin]:
    """The steps that releases ask for, each once with all that ask, without those that were done."""
    found: dict[str, tuple[Step, list[str]]] = {}
    for manifest in manifests:
        for step in manifest.steps:
            if step.id in found:
                found[step.id] = (step, [*found[step.id][1], manifest.version])
            else:
                found[step.id] = (step, [manifest.version])
    return [(step, tuple(origins)) for step, origins in found.values() if step.repeat or step.id not in done]


def order_steps(found: Sequence[Origin]) -> list[Origin]:
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
    ordered: list[Origin] = []
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


def show_step(step: Step, origins: tuple[str, ...], named: Mapping[str, Value], *, own: bool) -> PlannedStep:
    """A step as the plan shows it."""
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


def measure(facts: Facts) -> dict[str, Value]:
    """What is known of the database by its kind."""
    kinds: dict[str, Value] = {name: facts.database == name for name in ("sqlite", "postgresql")}
    return kinds if facts.database else {}


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
