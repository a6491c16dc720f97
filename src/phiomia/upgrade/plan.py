"""Works out what an upgrade has to do: which releases, in which legs, which steps in which order.

Pure: releases, their ancestry, what was done before (the ledger) and facts of the server come in, a Plan or a
Refused comes out. Releases count by ancestry, not by number: 1.4.9 may be younger than 1.5.0 and not part of it.
"""

from collections.abc import Collection, Iterable

from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.conditions import ConditionError
from phiomia.upgrade.plan_ends import explain_end, find_ends, list_bases, sort_releases
from phiomia.upgrade.plan_leg import keep_backup, plan_leg
from phiomia.upgrade.plan_refusals import refuse_server, refuse_target
from phiomia.upgrade.plan_steps import list_missing
from phiomia.upgrade.planned import Facts, Leg, Plan, PlanError, PlannedStep, Refusal, Refused, Releases
from phiomia.upgrade.versions import version_order

__all__ = [
    "Facts",
    "Leg",
    "Plan",
    "PlanError",
    "PlannedStep",
    "Refusal",
    "Refused",
    "Releases",
    "list_missing",
    "plan",
    "sort_releases",
]


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
    refusals = refuse_target(installed, target, releases, facts, allow_prerelease)
    if refusals:
        return Refused(installed.name, target, tuple(refusals))
    ends = find_ends(installed, target, releases, facts, allow_prerelease)
    if isinstance(ends, Refusal):
        return Refused(installed.name, target, (ends,))
    legs, bases, done = [], list_bases(installed, ends, releases), set(ledger)
    for base, end in zip(bases, ends, strict=False):
        reason = explain_end(base, end, target, releases, facts if base is installed else None)
        try:
            legs.append(keep_backup(plan_leg(base, end, reason, releases, done, facts), backup))
        except ConditionError as error:
            refusals.append(Refusal("facts", str(error)))
            continue
        done.update(step.id for step in legs[-1].steps if step.run and not step.skipped)
    refusals += refuse_server(legs, releases, facts)
    if refusals:
        return Refused(installed.name, target, tuple(dict.fromkeys(refusals)))
    return Plan(installed.name, target, tuple(legs), tuple(_warn(installed, target, releases)))


def _warn(installed: Place, target: str, releases: Releases) -> Iterable[str]:
    lost = installed.contains - releases.contains[target]
    if lost:
        names = ", ".join(sorted(lost, key=version_order))
        yield f"{target} was not made from {names}, so it may lack what was mended there."
    if installed.name.endswith("+unreleased"):
        yield "What is installed is no release: only what releases ask for is planned."
