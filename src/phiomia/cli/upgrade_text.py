"""What the commands of an upgrade say to people."""

import time
from collections.abc import Sequence
from typing import Any

from phiomia.upgrade.history import Upgrade
from phiomia.upgrade.journal import FINISHED, SETTLING, STOPPED, Journal
from phiomia.upgrade.rollback import find_backup_of
from phiomia.upgrade.status import Standing


def render_outcome(journal: Journal, told: Upgrade) -> str:
    """How an upgrade ended."""
    lines = [f"{told.start} → {told.target}: {told.state}, {_duration(told.ended - told.began)}"]
    if told.reason:
        lines.append(f"  {told.reason}")
    lines += [f"  {phase:<9} {seconds:8.1f} s" for phase, seconds in told.phases.items() if seconds >= 0.05]
    lines += [f"  {line}" for line in render_noticed(told.noticed)]
    backup = find_backup_of(journal)
    if backup:
        lines.append(f"  backup    {backup}")
    if told.state == SETTLING:
        lines.append(
            f"{told.target} serves. What older releases read is still there, so `phiomia upgrade rollback` works."
        )
        lines.append("The next upgrade removes it first, or `phiomia upgrade resume` does now.")
    elif told.state == FINISHED:
        lines.append("That's all.")
    elif told.state == STOPPED:
        lines.append("`phiomia upgrade resume` goes on, `phiomia upgrade rollback` goes back.")
    return "\n".join(lines)


def render_noticed(noticed: dict[str, Any]) -> list[str]:
    """What was seen from outside during an upgrade."""
    if not noticed:
        return []
    lines = [f"noticed   {noticed['requests']} requests, {noticed['failures']} failed"]
    for when in ("before", "during", "after"):
        one = noticed[when]
        if one["requests"]:
            lines.append(f"  {when:<7} p50 {one['p50']:.0f} ms, p95 {one['p95']:.0f} ms, longest {one['max']:.0f} ms")
    age = noticed["job_age_s"]
    lines.append(f"  jobs    the oldest waited {age['before']:g} s before, {age['after']:g} s after")
    if noticed["verdict"]:
        lines.append(f"  mind    {noticed['verdict']}. `phiomia upgrade rollback` goes back.")
    return lines


def render_standing(standing: Standing) -> str:
    """How the server stands."""
    lines = [
        f"installed   {standing.installed}",
        f"before      {standing.previous or '-'}",
        f"checked out {standing.selected}",
    ]
    counted: dict[tuple[str, str], int] = {}
    for one in standing.processes:
        leaving = ", leaving" if one["leaving"] else ""
        key = (one["role"], (one["release"] or "what is no release") + leaving)
        counted[key] = counted.get(key, 0) + 1
    lines += [f"runs        {count} {role}: {release}" for (role, release), count in sorted(counted.items())]
    if not standing.processes:
        lines.append("runs        nothing")
    lines.append(f"built       {', '.join(standing.releases) or '-'}")
    lines.append(f"began with  {standing.beginning or standing.installed}")
    lines += [
        f"executed    {one.step_id} ({one.release}, {one.how}, {_date(one.finished_at / 1000)})"
        for one in standing.executed
    ]
    lines += [f"missing     {one.id} ({', '.join(one.releases)}): {one.title}" for one in standing.missing]
    lines += [f"{standing.selected} needs first {one.id}: {one.title}" for one in standing.missing_for_selected]
    if standing.pending_schema:
        lines.append(f"schema      lacks {', '.join(standing.pending_schema)}")
    if standing.backfills:
        lines.append(f"fills in    {', '.join(standing.backfills)}")
    if standing.contract_pending:
        lines.append(f"settles     {standing.contract_pending}: the schema still has what older releases read")
    if not standing.missing:
        lines.append(
            "Every instruction of every release was executed at least once, as far as it concerns this server."
        )
    return "\n".join([*lines, *standing.problems])


def render_history(upgrades: Sequence[Upgrade]) -> str:
    """A table of upgrades."""
    if not upgrades:
        return "There was no upgrade yet."
    lines = [f"{'when':<17} {'from':<14} {'to':<14} {'state':<12} {'took':>9}  by"]
    for one in upgrades:
        took = _duration(one.seconds)
        lines.append(
            f"{_date(one.began):<17} {one.start:<14} {one.target:<14} {one.state:<12} {took:>9}  {one.user}@{one.host}"
        )
        phases = ", ".join(f"{phase} {_duration(seconds)}" for phase, seconds in one.phases.items() if seconds >= 0.05)
        lines += [f"{'':<17} {text}" for text in (phases, one.reason, *render_noticed(one.noticed)) if text]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
