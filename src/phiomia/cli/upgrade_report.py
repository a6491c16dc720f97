"""What was seen during upgrades, for people: the list of them, and one in full."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from phiomia.upgrade.history import Report, StepTaken, Upgrade

_MARKS = {"done": "✔", "failed": "✘", "undone": "↶", "begun": "▶", "skipped": "-", "left": "·"}
_WHEN = ("before", "during", "after")
_WIDTH = 18


def render_history(upgrades: Sequence[Upgrade]) -> str:
    """A table of upgrades."""
    if not upgrades:
        return "There was no upgrade yet."
    lines = [f"{'id':<26} {'when':<17} {'from':<14} {'to':<14} {'state':<12} {'took':>9} {'watched':>9}  by"]
    for one in upgrades:
        when, took = describe_date(one.began), describe_duration(one.seconds)
        watched = describe_duration(one.watched) if one.watched else "-"
        ended = f"{one.state:<12} {took:>9} {watched:>9}  {one.user}@{one.host}"
        lines.append(f"{one.id:<26} {when:<17} {one.start:<14} {one.target:<14} {ended}")
        phases = ", ".join(f"{name} {describe_duration(took)}" for name, took in one.phases.items() if took >= 0.05)
        lines += [f"{'':<26} {text}" for text in (phases, one.reason, *render_noticed(one.noticed)[:1]) if text]
    return "\n".join([*lines, "", "`phiomia upgrade history ID` shows one in full."])


def render_report(report: Report) -> str:
    """All about one upgrade."""
    one = report.upgrade
    lines = [
        f"{one.start} → {one.target}: {one.state}",
        f"id        {one.id}",
        f"began     {describe_date(one.began)}, by {one.user}@{one.host}",
        f"took      {describe_duration(one.ended - one.began)}: {describe_duration(one.seconds)} at work,"
        f" {describe_duration(one.watched)} watching",
        f"plan      {report.plan[:16]}",
    ]
    if one.reason:
        lines.append(f"reason    {one.reason}")
    lines += [f"announced {entry['text']}" for entry in report.entries if entry["kind"] == "announced"]
    lines += ["", *_render_steps(report.steps)]
    noticed = render_noticed(one.noticed, full=True)
    return "\n".join([*lines, "", *(noticed or ["Nothing served meanwhile, so nothing was asked for."])])


def render_noticed(noticed: dict[str, Any], *, full: bool = False) -> list[str]:
    """What was seen from outside during an upgrade; in full with a line for each target."""
    if not noticed:
        return []
    lines = [f"noticed   {noticed['requests']:,} requests, {noticed['failures']} failed"]
    targets = noticed.get("targets", {})
    if full and targets:
        lines += ["", *_render_targets(targets), ""]
    else:
        lines += [f"  {when:<7} {_spell(noticed[when])}" for when in _WHEN if noticed[when]["requests"]]
    lines += [f"  failed  {reason}" for reason in noticed["reasons"] if full]
    lines += _render_stream(noticed.get("stream", {}))
    lines += _render_work(noticed.get("work", {}))
    ages = [f"{noticed['job_age_s'][when]:g} s {when}" for when in _WHEN if when in noticed["job_age_s"]]
    lines += [f"  jobs    the oldest waited {', '.join(ages)}"] if ages else []
    lines += _render_left_out(noticed) if full else []
    if noticed["verdict"]:
        lines.append(f"  mind    {noticed['verdict']}. `phiomia upgrade rollback` goes back.")
    return lines


def _render_targets(targets: dict[str, Any]) -> Iterator[str]:
    columns = "".join(f"{when:<{_WIDTH}}" for when in _WHEN)
    yield f"  {'':<10} {'requests':>8} {'failed':>6}   {columns}(p50 / p95 / longest, ms)"
    for name, one in targets.items():
        figures = "".join(f"{_figures(one[when]):<{_WIDTH}}" for when in _WHEN)
        yield f"  {name:<10} {one['requests']:>8,} {one['failures']:>6}   {figures}".rstrip()


def _render_stream(stream: dict[str, Any]) -> list[str]:
    if not stream:
        return []
    late = f", p95 {stream['p95']:.0f} ms" if stream["requests"] else ""
    told = f"{stream['events']} events, {stream['lost']} lost, {stream['doubled']} twice{late}"
    reasons = f" ({'; '.join(stream['reasons'])})" if stream["reasons"] else ""
    return [f"  stream  {stream['drops']} drops{reasons}; {told}"]


def _render_work(work: dict[str, Any]) -> list[str]:
    if not work:
        return []
    posts = f"{work['writes']} writes accepted, {work['written']} there"
    letters = f"{work['letters']} letters accepted, {work['taken']} taken"
    if work.get("waiting"):
        letters += f", {work['waiting']} still to be taken"
    return [f"  work    {posts}; {letters}; {work['lost']} lost"]


def _render_left_out(noticed: dict[str, Any]) -> Iterator[str]:
    for name, count in noticed.get("absent", {}).items():
        yield f"  absent  {name}: what ran did not have it ({count} times)"
    for name, count in noticed.get("limited", {}).items():
        yield f"  limited {name}: too many requests came from this address ({count} times)"


def _render_steps(steps: Sequence[StepTaken]) -> Iterator[str]:
    legs = len({step.leg for step in steps})
    leg = -1
    for step in steps:
        if legs > 1 and step.leg != leg:
            leg = step.leg
            yield f"  leg {leg + 1} of {legs}"
        yield _render_step(step)


def _render_step(step: StepTaken) -> str:
    took = describe_duration(step.seconds) if step.state == "done" and step.seconds else ""
    told = f"  ({step.note})" if step.note else ""
    return f"  {_MARKS[step.state]} {step.phase:<9} {step.title:<52} {took:>9}{told}".rstrip()


def _spell(one: dict[str, Any]) -> str:
    return f"p50 {one['p50']:.0f} ms, p95 {one['p95']:.0f} ms, longest {one['max']:.0f} ms"


def _figures(one: dict[str, Any]) -> str:
    return f"{one['p50']:.0f} / {one['p95']:.0f} / {one['max']:.0f}" if one["requests"] else "-"


def describe_duration(seconds: float) -> str:
    """A time as people say it."""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def describe_date(at: float) -> str:
    """A moment in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
