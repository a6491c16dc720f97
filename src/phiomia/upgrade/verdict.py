"""Whether a release does worse than the one before, by what both counted. Nothing here asks anybody.

By this a release is taken back without asking, so nothing counts that chance could explain. What somebody is told
after the whole upgrade, and may judge for themselves, is stricter: see `prober/summary.py`.
"""

from collections.abc import Iterable
from typing import NamedTuple

from phiomia.platform.chance import fails_more, is_more_than_chance
from phiomia.upgrade.counted import Counted
from phiomia.upgrade.slow_answers import longest_answer

# More jobs that break than before, by so many of a hundred, is too much.
MORE_BROKEN = 0.02
# Fewer requests than this have no percentile worth the name.
FEWEST = 60
# The first answers of a process fill its caches.
WARM_AFTER_S = 15.0
# A machine that is so much busier than before says nothing about the release.
MOST_BUSY = 4.0
DEATHS = 2
UNREADY_S = 15.0


class Share(NamedTuple):
    """Requests from outside, and how many of them went wrong, with the first reason."""

    requests: int = 0
    wrong: int = 0
    reason: str = ""


class Evidence(NamedTuple):
    """All that is known of two releases at one moment."""

    seconds: float
    before: Counted
    now: Counted
    probed_before: Share = Share()
    probed: Share = Share()
    deaths: int = 0
    last_death: str = ""
    unready_s: float = 0.0
    unready: str = ""


def judge_release(evidence: Evidence) -> str:
    """Why the new release should not stay, in words; empty when nothing speaks against it."""
    return next(filter(None, _reasons(evidence)), "")


def _reasons(one: Evidence) -> Iterable[str]:
    yield _judge_errors(one.before, one.now)
    yield _judge_probe(one.probed_before, one.probed)
    if one.deaths >= DEATHS:
        yield f"processes ended by themselves {one.deaths} times, the last was {one.last_death}"
    if one.unready_s >= UNREADY_S:
        yield f"not ready for {one.unready_s:.0f} s: {one.unready}"
    yield _judge_jobs(one.before, one.now)
    if one.seconds >= WARM_AFTER_S:
        yield _judge_latency(one.before, one.now)


def _judge_errors(before: Counted, now: Counted) -> str:
    usual = before.error_share
    if not fails_more(now.errors, now.requests, usual):
        return ""
    return f"{now.errors} of {now.requests} requests failed ({now.error_share:.1%}, before {usual:.1%})"


def _judge_probe(before: Share, now: Share) -> str:
    usual = before.wrong / before.requests if before.requests else 0.0
    if not fails_more(now.wrong, now.requests, usual):
        return ""
    return f"{now.wrong} of {now.requests} requests of the upgrade's own failed: {now.reason}"


def _judge_jobs(before: Counted, now: Counted) -> str:
    expected = {
        type_: attempts * (_broken_share(before, type_) + MORE_BROKEN) for type_, (attempts, _) in now.jobs.items()
    }
    for type_, (attempts, broken) in sorted(now.jobs.items()):
        if is_more_than_chance(broken, expected[type_]):
            usual = _broken_share(before, type_)
            return f"{broken} of {attempts} jobs {type_} failed ({broken / attempts:.1%}, before {usual:.1%})"
    if is_more_than_chance(now.broken_jobs, sum(expected.values())):
        return f"{now.broken_jobs} of {now.job_attempts} jobs failed"
    return ""


def _broken_share(before: Counted, type_: str) -> float:
    attempts, broken = before.jobs.get(type_, (0, 0))
    return broken / attempts if attempts else 0.0


def _judge_latency(before: Counted, now: Counted) -> str:
    # Not by the requests: how long they took is not known of a release that counts it in other steps.
    if min(before.timed, now.timed) < FEWEST:
        return ""
    busy = now.slowness / before.slowness
    if busy > MOST_BUSY:
        return ""
    limit = longest_answer(before.p95_s) * max(1.0, busy)
    if now.p95_s <= limit:
        return ""
    return f"answers take {now.p95_s * 1000:.0f} ms (p95), before {before.p95_s * 1000:.0f} ms"


def describe_evidence(one: Evidence) -> str:
    """The figures in one line, to be looked at while they are collected."""
    before, now = one.before, one.now
    parts = [f"{now.requests} requests, {now.errors} failed ({now.error_share:.1%}, before {before.error_share:.1%})"]
    if now.requests:
        usual = f"before {before.p95_s * 1000:.0f} ms" if before.timed >= FEWEST else "too little was asked before"
        parts.append(f"p95 {now.p95_s * 1000:.0f} ms ({usual})")
    parts.append(f"{now.job_attempts} jobs, {now.broken_jobs} failed")
    if one.deaths:
        parts.append(f"{one.deaths} ended by itself")
    if one.unready_s:
        parts.append(f"not ready for {one.unready_s:.0f} s")
    return ", ".join(parts)


def figures(one: Evidence) -> dict[str, float]:
    """The figures for the journal. The time before is 0 where too little was asked then."""
    usual_s = one.before.p95_s if one.before.timed >= FEWEST else 0.0
    return {
        "seconds": round(one.seconds, 1),
        "requests": one.now.requests,
        "errors": one.now.errors,
        "error_share_before": round(one.before.error_share, 5),
        "p95_ms": round(one.now.p95_s * 1000, 1),
        "p95_ms_before": round(usual_s * 1000, 1),
        "slowness": round(one.now.slowness, 2),
        "slowness_before": round(one.before.slowness, 2),
        "probed": one.probed.requests,
        "probed_wrong": one.probed.wrong,
        "jobs": one.now.job_attempts,
        "broken_jobs": one.now.broken_jobs,
        "deaths": one.deaths,
        "unready_s": round(one.unready_s, 1),
    }
