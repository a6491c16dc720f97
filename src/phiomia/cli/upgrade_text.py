"""What the commands of an upgrade say to people."""

from phiomia.cli.upgrade_report import describe_date, describe_duration, render_noticed
from phiomia.upgrade.history import Upgrade
from phiomia.upgrade.journal import FINISHED, SETTLING, STOPPED, Journal
from phiomia.upgrade.rollback import find_backup_of
from phiomia.upgrade.status import Standing


def render_outcome(journal: Journal, told: Upgrade) -> str:
    """How an upgrade ended."""
    lines = [f"{told.start} → {told.target}: {told.state}, {describe_duration(told.ended - told.began)}"]
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
        f"executed    {one.step_id} ({one.release}, {one.how}, {describe_date(one.finished_at / 1000)})"
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
    if standing.last:
        seen = [line.removeprefix("noticed").strip() for line in render_noticed(standing.last.noticed)[:1]]
        lines.append(": ".join([f"upgraded    {standing.last.start} → {standing.last.target}", *seen]))
    counts = standing.counts
    lines.append(
        f"instructed  {counts['executed']} executed ({counts['by_upgrades']} by upgrades, {counts['by_hand']} by hand),"
        f" {counts['missing']} missing, {counts['pending']} to come"
    )
    return "\n".join([*lines, *_conclude(standing), *standing.problems])


def _conclude(standing: Standing) -> list[str]:
    """Whether everything was executed; what waits for its time is named."""
    if standing.missing:
        return []
    if not standing.pending:
        return ["Every instruction of every release was executed at least once, as far as it concerns this server."]
    count = standing.counts["executed"]
    done = f"Executed: {count} of {count} instructions that are needed so far. Still to come:"
    if not count:
        done = "No instruction was needed so far. Still to come:"
    return [done, *(f"  {one.title}; waits {one.waits}. Now: {one.command}" for one in standing.pending)]
