"""A plan as text for people, as JSON for programs, and its hash: what was read is what will be done."""

import hashlib
import json
from typing import Any, NamedTuple

from phiomia.upgrade.notice import find_outage
from phiomia.upgrade.plan import Leg, Plan, PlannedStep, Refused

# What changes from hour to hour without changing what is done.
_ESTIMATES = ("seconds", "disk_mb", "ram_mb")


class WayBack(NamedTuple):
    """How one gets back from the release that a leg leads to.

    `ends_with`: the step after which the database suits no older release any more; empty when there is none.
    `then`: what leads back from then on, `backup` or, where none is made, `own backup`.
    """

    ends_with: str
    then: str
    text: str


def describe_way_back(leg: Leg) -> WayBack:
    """The way back from a leg, known before anything is done."""
    steps = {step.id: step for step in leg.steps}
    if "migrate-contract" not in steps:
        return WayBack("", "", "at any time: nothing is removed from the schema")
    if "backup" in steps and not steps["backup"].skipped:
        return WayBack("migrate-contract", "backup", "until migrate-contract; after it only by the backup")
    text = "until migrate-contract; after it only by a backup of your own, as none is made"
    return WayBack("migrate-contract", "own backup", text)


def hash_plan(plan: Plan) -> str:
    """The same for plans that do the same; estimates do not count."""
    legs = [_without_estimates(_leg_json(leg)) for leg in plan.legs]
    content = {"installed": plan.installed, "target": plan.target, "legs": legs}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def plan_json(plan: Plan | Refused) -> dict[str, Any]:
    """What `--json` prints."""
    head: dict[str, Any] = {"installed": plan.installed, "target": plan.target}
    if isinstance(plan, Refused):
        return {**head, "refusals": [one._asdict() for one in plan.refusals]}
    # Follows from the steps, so it is no part of what the hash stands for.
    legs = [{**_leg_json(leg), "way_back": describe_way_back(leg)._asdict()} for leg in plan.legs]
    told = {"legs": legs, "warnings": list(plan.warnings), "signed": list(plan.signed), "refusals": []}
    return {**head, "hash": hash_plan(plan), **told}


def render_plan(plan: Plan | Refused) -> str:
    """What people read before they say yes."""
    if isinstance(plan, Refused):
        reasons = "".join(f"  - {one.reason}\n" for one in plan.refusals)
        return f"No upgrade from {plan.installed} to {plan.target}:\n{reasons}"
    warnings = [f"Mind: {warning}" for warning in plan.warnings]
    if not plan.legs:
        return "\n".join([f"{plan.target} is installed: nothing to do.", *warnings]) + "\n"
    lines = [f"Upgrade from {plan.installed} to {plan.target}"]
    lines += [f"Signed: {one}" for one in plan.signed]
    lines += warnings
    for number, leg in enumerate(plan.legs, 1):
        lines += ["", *_leg_lines(leg, number, len(plan.legs))]
    if find_outage(plan_json(plan)) is not None:
        lines += ["", "People will notice this: it will be announced to them, some minutes ahead (--announce)."]
    return "\n".join([*lines, "", f"Plan {hash_plan(plan)[:16]}"]) + "\n"


def _leg_lines(leg: Leg, number: int, count: int) -> list[str]:
    title = f"{leg.start} → {leg.end}"
    lines = [f"Leg {number} of {count}: {title}" if count > 1 else title]
    if leg.reason != "target":
        lines.append(f"  ends here for a {leg.reason}")
    lines.append(f"  releases   {', '.join(leg.releases)}")
    lines.append(f"  downtime   {_downtime(leg)}")
    lines.append(f"  time       {'not known' if leg.seconds is None else _duration(leg.seconds)}")
    if leg.disk_mb or leg.ram_mb:
        lines.append(f"  needs      {leg.disk_mb:,.0f} MB of disk, {leg.ram_mb:,.0f} MB of memory")
    restart = leg.restart
    lines.append(f"  processes  web: {restart.web}, workers: {restart.workers}, streaming: {restart.streaming}")
    lines.append(f"  way back   {describe_way_back(leg).text}")
    return lines + [_step_line(step) for step in leg.steps]


def _step_line(step: PlannedStep) -> str:
    origin = f" [{', '.join(step.releases)}]" if step.run else ""
    if step.skipped:
        return f"  - {step.phase:<9} skipped: {step.title}{origin}: {step.skipped}"
    return f"  * {step.phase:<9} {step.title}{origin}"


def _downtime(leg: Leg) -> str:
    if not leg.downtime_s:
        return "none"
    return f"{_duration(leg.downtime_s)}: {'; '.join(leg.downtime_reasons)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _leg_json(leg: Leg) -> dict[str, Any]:
    return {
        **leg._asdict(),
        "seconds": leg.seconds,
        "restart": vars(leg.restart),
        "steps": [step._asdict() for step in leg.steps],
    }


def _without_estimates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_estimates(inner) for key, inner in value.items() if key not in _ESTIMATES}
    if isinstance(value, list):
        return [_without_estimates(inner) for inner in value]
    return value
