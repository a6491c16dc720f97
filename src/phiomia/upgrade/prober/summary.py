"""What was seen, in figures: before, during and after what changed, for each target. Standard library only."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from phiomia.platform.chance import MORE_ERRORS
from phiomia.upgrade.prober.samples import Request, Run, Samples, read_samples
from phiomia.upgrade.slow_answers import longest_answer

_WEB_ACTIONS = ("migrate-expand", "switch", "restart-workers", "restart-web", "restart-streaming")
_REASONS = 5
# Less than the watch wants: a target is asked for every half second or less often, and upgrades are short.
_FEWEST = 20
_WHEN = ("before", "during", "after")
# What was on its way when whoever listened was killed is not lost.
_ON_ITS_WAY_S = 5.0


class Window:
    """From the first change to the last, as the journal tells."""

    def __init__(self, entries: Iterable[dict[str, Any]]) -> None:
        acting = [
            one["at"] for one in entries if one.get("step") in _WEB_ACTIONS and one["kind"] in ("started", "done")
        ]
        self.first: float = min(acting, default=float("inf"))
        self.last: float = max(acting, default=float("inf"))

    def when(self, began: float, until: float) -> str:
        """On which side of it something was."""
        return "before" if until < self.first else "after" if began > self.last else "during"


def sum_up(path: Path, entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Requests, failures and milliseconds before, during and after what changed; `entries` are the journal's."""
    samples, window = read_samples(path), Window(entries)
    requests = samples.requests
    names = dict.fromkeys(one.target for one in requests)
    return {
        **_count(requests, window),
        "targets": {name: _count([one for one in requests if one.target == name], window) for name in names},
        "absent": _count_targets(samples, "absent"),
        "limited": _count_targets(samples, "limited"),
        "stream": _sum_up_stream(samples),
        "work": _sum_up_work(samples),
        "job_age_s": _sum_up_jobs(samples, window),
    }


def judge(summary: dict[str, Any]) -> str:
    """Why somebody should look at the new release; empty when there is no reason.

    Stricter than the watch, which takes a release back by itself (`verdict.py`): nobody should notice an upgrade, so a
    failure counts also where chance could explain it, whenever it was; and so does what was accepted and is lost.
    """
    share = summary["failures"] / summary["requests"] if summary["requests"] else 0.0
    if share > MORE_ERRORS:
        return f"{summary['failures']} of {summary['requests']} requests failed: {summary['reasons'][0]}"
    lost = summary.get("work", {}).get("lost", 0)
    if lost:
        return f"{lost} of what was accepted is not there"
    for name, one in (summary.get("targets") or {"requests": summary}).items():
        before, after = one["before"], one["after"]
        if min(before["requests"], after["requests"]) < _FEWEST:
            continue
        if after["p95"] > longest_answer(before["p95"] / 1000) * 1000:
            return f"{name}: answers take {after['p95']:.0f} ms now (p95), before they took {before['p95']:.0f} ms"
    return ""


def _count(requests: Sequence[Request], window: Window) -> dict[str, Any]:
    wrong = [one.wrong for one in requests if one.wrong]
    split: dict[str, list[Request]] = {when: [] for when in _WHEN}
    for one in requests:
        split[window.when(one.at, one.until)].append(one)
    return {
        "requests": len(requests),
        "failures": len(wrong),
        "reasons": list(dict.fromkeys(wrong))[:_REASONS],
        **{when: _measure([one.ms for one in found]) for when, found in split.items()},
    }


def _count_targets(samples: Samples, kind: str) -> dict[str, int]:
    return dict(Counter(str(note["target"]) for note in samples.of_kind(kind)))


def _measure(took: list[float]) -> dict[str, float]:
    if not took:
        return {"requests": 0}
    ordered = sorted(took)
    return {
        "requests": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)], 1),
        "max": round(ordered[-1], 1),
    }


def _sum_up_stream(samples: Samples) -> dict[str, Any]:
    """How often it broke off, and what it did not tell or told twice; empty when there was none."""
    opened = samples.of_kind("opened")
    if not opened:
        return {}
    late = sorted(float(note["ms"]) for note in samples.of_kind("event"))
    lost = doubled = sent = 0
    for run in samples.runs:
        asked, told = _asked(run), [note["n"] for note in run.of_kind("event")]
        sent += len(asked)
        lost += len(asked - set(told))
        doubled += len(told) - len(set(told))
    dropped = samples.of_kind("dropped")
    return {
        "opened": len(opened),
        "drops": len(dropped),
        "reasons": list(dict.fromkeys(note["why"] for note in dropped))[:_REASONS],
        "events": sent,
        "lost": lost,
        "doubled": doubled,
        **_measure(late),
    }


def _asked(run: Run) -> set[int]:
    """What the stream was asked to tell."""
    sent = run.of_kind("sent")
    if not run.of_kind("ended") and run.notes:
        last = run.notes[-1]["at"] - _ON_ITS_WAY_S
        told = {note["n"] for note in run.of_kind("event")}
        sent = [note for note in sent if note["at"] < last or note["n"] in told]
    return {note["n"] for note in sent}


def _sum_up_work(samples: Samples) -> dict[str, int]:
    """What was accepted of us, and what the server has of it in the end; empty when nobody could look."""
    runs = [run for run in samples.runs if run.of_kind("arrived")]
    if not runs:
        return {}
    arrived = [run.of_kind("arrived")[-1] for run in runs]
    writes, letters = (
        sum(one.target == target and not one.wrong for run in runs for one in run.requests)
        for target in ("write", "inbox")
    )
    written, taken, waiting = (
        sum(int(note.get(name, 0)) for note in arrived) for name in ("writes", "taken", "waiting")
    )
    lost = max(0, writes - written) + max(0, letters - taken - waiting)
    return {
        "writes": writes,
        "written": written,
        "letters": letters,
        "taken": taken,
        "waiting": waiting,
        "lost": lost,
    }


def _sum_up_jobs(samples: Samples, window: Window) -> dict[str, float]:
    """For how long the oldest job had to wait."""
    ages: dict[str, list[float]] = {when: [] for when in _WHEN}
    for note in samples.of_kind("jobs"):
        ages[window.when(note["at"], note["at"])].append(float(note["age_s"]))
    return {when: max(found) for when, found in ages.items() if found}
