"""One leg of a plan: the steps of its releases and those of every upgrade, and what the processes need."""

from collections.abc import Collection, Mapping, Sequence

from phiomia.upgrade import conditions
from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.conditions import Value
from phiomia.upgrade.manifest import RESTARTS, Manifest, Restart, Step
from phiomia.upgrade.plan_ends import sort_releases
from phiomia.upgrade.plan_steps import Origin, collect_steps, measure, order_steps, show_step
from phiomia.upgrade.planned import Facts, Leg, Releases


def plan_leg(base: Place, end: str, reason: str, releases: Releases, done: Collection[str], facts: Facts) -> Leg:
    """The leg from one place to a release."""
    covered = sort_releases(releases.contains[end] - base.contains, releases.contains)
    manifests = [releases.manifests[version] for version in covered]
    restart = Restart(**{role: _most(role, manifests) for role in RESTARTS})
    own = _list_own_steps(manifests, restart)
    steps = order_steps([*own, *collect_steps(manifests, done)])
    named = {**facts.named, **measure(facts)}
    return Leg(
        start=base.name,
        end=end,
        releases=tuple(covered),
        reason=reason,
        steps=tuple(show_step(step, origins, named, own=step in [one for one, _ in own]) for step, origins in steps),
        restart=restart,
        downtime_s=sum(one.downtime.expected_s for one in manifests),
        downtime_reasons=tuple(dict.fromkeys(one.downtime.reason for one in manifests if one.downtime.expected_s)),
        disk_mb=max(_amount(one.requires.disk_free_mb, named) for one in manifests),
        ram_mb=max(_amount(one.requires.ram_free_mb, named) for one in manifests),
    )


def keep_backup(leg: Leg, backup: str) -> Leg:
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


def _list_own_steps(manifests: Sequence[Manifest], restart: Restart) -> list[Origin]:
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


def _amount(text: str, named: Mapping[str, Value]) -> float:
    return conditions.amount(text, named) if text else 0.0


def _most(role: str, manifests: Sequence[Manifest]) -> str:
    words = RESTARTS[role]
    return words[max(words.index(getattr(one.restart, role)) for one in manifests)]
