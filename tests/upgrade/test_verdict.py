"""What speaks against a release, and what does not: figures as servers of all sizes would give them."""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest

from phiomia.platform.answers import BOUNDS
from phiomia.platform.chance import is_more_than_chance
from phiomia.upgrade.counted import Counted, add_up, load_counted
from phiomia.upgrade.verdict import FEWEST, Evidence, Share, describe_evidence, figures, judge_release


def counted(requests: int, errors: int = 0, seconds: float = 0.02, waited_s: float = 0.0, **jobs: list[int]) -> Counted:
    """Numbers of processes that answered so often, mostly within a third of that time."""
    found = Counted(requests, errors, jobs=dict(jobs), ran_s=10.0, waited_s=waited_s)
    slow = requests // 10
    found.buckets[bisect_left(BOUNDS, seconds / 3)] += requests - slow
    found.buckets[bisect_left(BOUNDS, seconds)] += slow
    return found


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(9, counted(900), counted(200, 10)), "10 of 200 requests failed (5.0%, before 0.0%)"),
        (Evidence(9, counted(900, 9), counted(200, 14)), "14 of 200 requests failed (7.0%, before 1.0%)"),
        (Evidence(60, counted(900), counted(900, seconds=0.3)), "(p95), before"),
        (Evidence(9, counted(9), counted(9), Share(9), Share(40, 4, "/about: 500")), "4 of 40 requests of the upgrade"),
        (Evidence(9, counted(9), counted(9), deaths=2, last_death="web 7"), "ended by themselves 2 times"),
        (Evidence(9, counted(9), counted(9), unready_s=20, unready="no process serves as web"), "not ready for 20 s"),
        (Evidence(9, counted(9), counted(9, push=[20, 6])), "6 of 20 jobs push failed (30.0%, before 0.0%)"),
        (Evidence(9, counted(9), counted(9, a=[1, 1], b=[2, 1], c=[1, 1], d=[5, 1])), "4 of 9 jobs failed"),
    ],
)
def test_what_speaks_against_a_release(evidence: Evidence, reason: str) -> None:
    assert reason in judge_release(evidence)


@pytest.mark.parametrize(
    "evidence",
    [
        # Nothing is known yet, or next to nothing.
        Evidence(0, Counted(), Counted()),
        Evidence(60, counted(3), counted(2, 2)),
        # What was usual before is usual now.
        Evidence(60, counted(5000, 250), counted(400, 22)),
        Evidence(60, counted(900, push=[500, 200]), counted(900, push=[40, 17])),
        Evidence(60, counted(9), counted(9), Share(10, 1, "x"), Share(100, 10, "x")),
        # Twice the usual time is little where the usual is little.
        Evidence(60, counted(900, seconds=0.004), counted(900, seconds=0.05)),
        # Caches are cold at first.
        Evidence(3, counted(900), counted(900, seconds=0.3)),
        # Others have the processors: everything takes three times as long, or so much longer that nobody can tell.
        Evidence(60, counted(900), counted(900, seconds=0.3, waited_s=20.0)),
        Evidence(60, counted(900), counted(900, seconds=3.0, waited_s=60.0)),
        # Too few to compare with.
        Evidence(60, counted(FEWEST - 1), counted(900, seconds=3.0)),
        # One process that ended may have been somebody's kill.
        Evidence(60, counted(900), counted(900), deaths=1, unready_s=5.0, unready="web 7: does not answer"),
        Evidence(60, counted(900), counted(900, push=[5, 2])),
    ],
)
def test_what_does_not(evidence: Evidence) -> None:
    assert judge_release(evidence) == ""


def test_nobody_compares_with_what_is_not_known() -> None:
    """A server that was hardly asked before, and one whose release counted times in other steps."""
    for before in (Counted(), counted(FEWEST - 1), load_counted({"requests": 900, "buckets": [900]})):
        evidence = Evidence(60, before, counted(900, seconds=0.3))
        assert judge_release(evidence) == ""
        assert "ms (too little was asked before), " in describe_evidence(evidence)
        assert figures(evidence)["p95_ms_before"] == 0.0
    evidence = Evidence(60, counted(FEWEST), counted(900))
    assert "before 20 ms)" in describe_evidence(evidence), describe_evidence(evidence)
    assert figures(evidence)["p95_ms_before"] > 0


def test_a_release_as_good_as_the_one_before_stays_whatever_the_dice_say() -> None:
    dice = random.Random(7)
    blamed = 0
    for _ in range(300):
        usual = dice.choice((0.0, 0.002, 0.01, 0.05))
        before = counted(5000, round(5000 * usual))
        requests = errors = 0
        reasons = []
        for _look in range(60):
            more = dice.choice((0, 1, 5, 40))
            requests += more
            errors += sum(dice.random() < usual for _ in range(more))
            reasons.append(judge_release(Evidence(60, before, counted(requests, errors))))
        blamed += any(reasons)
    assert blamed <= 6


@pytest.mark.parametrize("per_look", [2, 6, 60])
def test_five_errors_of_a_hundred_are_found_out_in_time(per_look: int) -> None:
    dice = random.Random(11)
    looks = []
    for _ in range(200):
        requests = errors = look = 0
        while not judge_release(Evidence(60, counted(5000), counted(requests, errors))):
            look += 1
            requests += per_look
            errors += sum(dice.random() < 0.05 for _ in range(per_look))
        looks.append(look)
    looks.sort()
    print(f"{per_look} a second: half are found out after {looks[100]} s, 95 of 100 after {looks[190]} s")
    assert looks[190] <= 120


def test_chance() -> None:
    assert not is_more_than_chance(2, 0.0)
    assert is_more_than_chance(3, 0.1)
    assert not is_more_than_chance(3, 2.9)
    assert not is_more_than_chance(1020, 1000.0)
    assert is_more_than_chance(1100, 1000.0)


def test_counts_travel_and_add_up() -> None:
    one, other = counted(10, 1, push=[3, 1]), counted(20, push=[1, 0], fan=[2, 2])
    both = add_up([one, load_counted(other.save())])
    assert (both.requests, both.errors, sum(both.buckets)) == (30, 1, 30)
    assert both.jobs == {"push": [4, 1], "fan": [2, 2]}
    assert load_counted({"requests": 3, "buckets": [3], "newer": 1}).buckets == Counted().buckets
    assert counted(1000, seconds=0.02).p95_s == pytest.approx(0.02, rel=0.3)
