"""The planner, on thousands of random histories whose plans are followed, and on histories made for one rule each."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phiomia.upgrade import plan as planner
from phiomia.upgrade import plan_ends
from phiomia.upgrade.ancestry import Place
from phiomia.upgrade.conditions import ConditionError, UnknownFact, amount, check, is_true
from phiomia.upgrade.manifest import PHASES, Downtime, Manifest, Requires, Restart, Schema, Step
from phiomia.upgrade.plan import Facts, Plan, PlanError, Refused, Releases, plan
from phiomia.upgrade.plan_text import hash_plan, plan_json, render_plan

DAY = datetime.date(2026, 11, 30)
FACTS = Facts(named={"yes": True, "no": False})


# Random histories


class History:
    """A main line with maintenance branches and release candidates, steps, stops, gaps and schema revisions."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.manifests: dict[str, Manifest] = {}
        self.contains: dict[str, frozenset[str]] = {}
        self.steps: dict[str, list[Step]] = {}
        self.contracts: dict[str, str] = {}
        self.main: list[str] = []
        self.side: list[str] = []
        for minor in range(chance.randint(2, 9)):
            self._grow_main(minor)
            if chance.random() < 0.3:
                self._grow_side(chance.choice(self.main))

    @property
    def releases(self) -> Releases:
        return Releases(self.manifests, self.contains)

    def place(self, version: str) -> Place:
        return Place(version, self.contains[version])

    def _grow_main(self, minor: int) -> None:
        before = self.contains[self.main[-1]] if self.main else frozenset()
        if self.side and self.chance.random() < 0.2:
            before |= self.contains[self.chance.choice(self.side)]  # a maintenance branch is merged back
        if self.chance.random() < 0.2:
            candidate = f"1.{minor}.0rc1"
            self._add(candidate, before, channel="rc")
            before = self.contains[candidate]
        self._add(f"1.{minor}.0", before, main=True)
        self.main.append(f"1.{minor}.0")

    def _grow_side(self, root: str) -> None:
        minor = root.split(".")[1]
        tips = [version for version in self.side if version.split(".")[1] == minor] or [root]
        version = f"1.{minor}.{len(tips) if tips != [root] else 1}"
        if version in self.contains:
            version = f"1.{minor}.{len(self.side) + 50}"
        self._add(version, self.contains[tips[-1]])
        self.side.append(version)

    def _add(self, version: str, before: frozenset[str], *, main: bool = False, channel: str = "stable") -> None:
        chance = self.chance
        self.contains[version] = before | {version}
        earlier = [one for one in self.main if one in before]
        stop = main and chance.random() < 0.2
        min_from = chance.choice(earlier) if earlier and main and chance.random() < 0.25 else ""
        steps = tuple(self._steps(version, before))
        self.manifests[version] = Manifest(
            version,
            DAY,
            channel=channel,
            min_from=min_from,
            stop=stop,
            stop_reason="it fills in what later ones read" if stop else "",
            schema=self._schema(version, earlier) if main else Schema(),
            restart=Restart(web=chance.choice(["none", "reload", "restart"])),
            steps=steps,
        )

    def _steps(self, version: str, before: frozenset[str]) -> list[Step]:
        made: dict[str, Step] = {}
        older = [step for one in before for step in self.manifests[one].steps]
        older.sort(key=lambda step: step.id)
        for number in range(self.chance.randint(0, 3)):
            if older and self.chance.random() < 0.25:
                again = self.chance.choice(older)
                made[again.id] = Step(again.id, again.phase, f"anew in {version}", "a:b", again.needs, again.only_if)
                continue
            phase = self.chance.choice(PHASES)
            fit = [step.id for step in (*older, *made.values()) if PHASES.index(step.phase) <= PHASES.index(phase)]
            needs = (self.chance.choice(fit),) if fit and self.chance.random() < 0.5 else ()
            name = f"s-{version.replace('.', '-')}-{number}@1"
            only_if = self.chance.choice(["", "", "yes", "no", "not no and yes"])
            made[name] = Step(name, phase, "t", "a:b", needs, only_if, repeat=self.chance.random() < 0.15)
        return list(made.values())

    def _schema(self, version: str, earlier: list[str]) -> Schema:
        slug = version.replace(".", "_")
        contracts: tuple[str, ...] = ()
        expands: tuple[str, ...] = ()
        needs: dict[str, tuple[str, ...]] = {}
        if self.chance.random() < 0.3:
            contracts = (f"c{slug}",)
        if self.chance.random() < 0.4:
            expands = (f"e{slug}",)
            older = [one for release in earlier for one in self.manifests[release].schema.contracts]
            if older and self.chance.random() < 0.5:
                needs = {expands[0]: (self.chance.choice(older),)}
        return Schema(expands=expands, contracts=contracts, needs=needs)


class Server:
    """Follows plans, and notices what a real server could not have survived."""

    def __init__(self, history: History, start: str) -> None:
        self.history = history
        self.version = start
        self.ledger: set[str] = set()
        self.ran: Counter[str] = Counter()
        contained = [history.manifests[one] for one in history.contains[start]]
        self.applied = {one for made in contained for one in (*made.schema.expands, *made.schema.contracts)}
        self.done = {step.id for made in contained for step in made.steps}
        self.ends: list[str] = []

    @property
    def facts(self) -> Facts:
        return Facts(applied=frozenset(self.applied), named=FACTS.named)

    def plan(self, target: str, **options: Any) -> Plan | Refused:
        return plan(self.history.place(self.version), target, self.history.releases, self.ledger, self.facts, **options)

    def follow(self, made: Plan) -> None:
        for leg in made.legs:
            self.follow_leg(leg)

    def follow_leg(self, leg: planner.Leg) -> None:
        assert leg.start == self.version
        manifests = [self.history.manifests[one] for one in leg.releases]
        coming = {step.id for step in leg.steps}
        phases = [PHASES.index(step.phase) for step in leg.steps]
        assert phases == sorted(phases)
        for step in leg.steps:
            if step.id == "migrate-expand":
                for made in manifests:
                    for one in made.schema.expands:
                        missing = set(made.schema.needs.get(one, ())) - self.applied
                        assert not missing, f"{one} needs {missing}"
                        self.applied.add(one)
            if step.id == "migrate-contract":
                self.applied.update(one for made in manifests for one in made.schema.contracts)
            if step.run:
                self._run(step, coming)
        self.version = leg.end
        self.ends.append(leg.end)

    def _run(self, step: planner.PlannedStep, coming: set[str]) -> None:
        needs = self.history.manifests[step.releases[-1]].steps
        wanted = next(one for one in needs if one.id == step.id).needs
        assert not {one for one in wanted if one in coming} - self.done, "run before what it needs"
        assert set(wanted) <= self.done, "needs what nobody has done"
        self.done.add(step.id)
        if not step.skipped:
            self.ran[step.id] += 1
            self.ledger.add(step.id)


def _newest(history: History) -> str:
    return history.main[-1]


def _applicable(history: History, start: str, target: str) -> dict[str, list[Step]]:
    fresh = history.contains[target] - history.contains[start]
    found: dict[str, list[Step]] = {}
    for version in fresh:
        for step in history.manifests[version].steps:
            found.setdefault(step.id, []).append(step)
    return {
        name: steps
        for name, steps in found.items()
        if any(one.only_if in ("", "yes", "not no and yes") for one in steps)
    }


def check_history(seed: int) -> None:
    """All properties, on one random history."""
    chance = random.Random(seed)
    history = History(chance)
    target = _newest(history)
    start = chance.choice(sorted(history.main[:-1] + [one for one in history.side if one < target]))
    server = Server(history, start)
    made = server.plan(target)
    assert isinstance(made, Plan), made
    assert made == server.plan(target)
    assert seed % 20 or hash_plan(made) == hash_plan(_again(server, target))

    planned = {name for leg in made.legs for name in leg.releases}
    assert planned == history.contains[target] - history.contains[start]
    server.follow(made)
    assert server.version == target
    _check_executed(history, server, start, target)
    _check_stops(history, server, start, target)
    _check_on_the_way(history, start, target, made)
    _check_by_parts(history, chance, start, target, made)


def _again(server: Server, target: str) -> Plan:
    made = server.plan(target)
    assert isinstance(made, Plan)
    return made


def _check_executed(history: History, server: Server, start: str, target: str) -> None:
    applicable = _applicable(history, start, target)
    assert set(server.ran) == set(applicable)
    for name, steps in applicable.items():
        if not any(step.repeat for step in steps):
            assert server.ran[name] == 1, name
    # What only stands on a branch that the target does not contain is not done.
    aside = {
        step.id
        for version in set(history.manifests) - history.contains[target]
        for step in history.manifests[version].steps
    }
    inside = {step.id for version in history.contains[target] for step in history.manifests[version].steps}
    assert not set(server.ran) & (aside - inside)


def _check_stops(history: History, server: Server, start: str, target: str) -> None:
    fresh = history.contains[target] - history.contains[start]
    assert {one for one in fresh if history.manifests[one].stop} <= set(server.ends)
    base = history.contains[start]
    for end in server.ends:
        for one in history.contains[end] - base:
            assert history.manifests[one].min_from in ("", *base)
        assert end == target or history.manifests[end].channel == "stable"
        base = history.contains[end]


def _check_on_the_way(history: History, start: str, target: str, made: Plan) -> None:
    """After every leg, a new plan is what was left of the first."""
    server = Server(history, start)
    for place, leg in enumerate(made.legs):
        server.follow_leg(leg)
        rest = server.plan(target)
        assert isinstance(rest, Plan)
        if start in history.main:  # who comes from a side line has more done than what the way holds
            assert rest.legs == made.legs[place + 1 :]


def _check_by_parts(history: History, chance: random.Random, start: str, target: str, direct: Plan) -> None:
    """Release by release comes out as in one jump."""
    walked = Server(history, start)
    way = [one for one in history.main if start in history.contains[one] and one != start]
    visited = [one for one in way if one == target or chance.random() < 0.6]
    planned: set[str] = set()
    for version in visited:
        made = walked.plan(version)
        assert isinstance(made, Plan), made
        planned |= {step.id for leg in made.legs for step in leg.steps if step.run}
        walked.follow(made)
    if not visited:
        return
    jumped = Server(history, start)
    jumped.follow(direct)
    assert walked.ledger == jumped.ledger
    assert walked.applied == jumped.applied
    assert {step.id for leg in direct.legs for step in leg.steps if step.run} >= planned


@pytest.mark.parametrize("batch", range(10))
def test_random_histories(batch: int) -> None:
    for seed in range(batch * 1_000, (batch + 1) * 1_000):
        try:
            check_history(seed)
        except AssertionError as error:
            raise AssertionError(f"history {seed}") from error


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=10_000))
def test_more_histories(seed: int) -> None:
    check_history(seed)


def test_the_histories_need_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random histories are worth something only if they fall over without what they test."""
    monkeypatch.setattr(plan_ends, "needs_contract_first", lambda *arguments: None)
    with pytest.raises(AssertionError, match="needs"):
        for seed in range(1_000):
            check_history(seed)


# One rule each


def releases(*manifests: Manifest, contains: Mapping[str, str] | None = None) -> Releases:
    """Releases on one line, or with the ancestors named."""
    line = [one.version for one in manifests]
    found = {one: frozenset(line[: place + 1]) for place, one in enumerate(line)}
    for version, names in (contains or {}).items():
        found[version] = frozenset([*names.split(), version])
    return Releases({one.version: one for one in manifests}, found)


def at(known: Releases, version: str) -> Place:
    return Place(version, known.contains[version])


def step(name: str, phase: str = "config", **values: Any) -> Step:
    return Step(f"{name}@1", phase, values.pop("title", name), "a.b:c", **values)


def planned(made: Plan | Refused) -> list[list[str]]:
    assert isinstance(made, Plan), made
    return [[one.id for one in leg.steps if one.run] for leg in made.legs]


def refused(made: Plan | Refused) -> list[str]:
    assert isinstance(made, Refused), made
    return [one.code for one in made.refusals]


def test_maintenance_branches_do_not_leak_in() -> None:
    known = releases(
        Manifest("1.4.0", DAY),
        Manifest("1.5.0", DAY, steps=(step("five"),)),
        Manifest("1.4.9", DAY, steps=(step("late"),)),
        contains={"1.4.9": "1.4.0"},
    )
    assert planned(plan(at(known, "1.4.0"), "1.5.0", known)) == [["five@1"]]
    made = plan(at(known, "1.4.9"), "1.5.0", known)
    assert planned(made) == [["five@1"]]
    assert isinstance(made, Plan) and "1.4.9" in made.warnings[0]
    assert refused(plan(at(known, "1.5.0"), "1.4.9", known)) == ["downgrade"]


def test_a_step_of_several_releases_is_one() -> None:
    known = releases(
        Manifest("1.0.0", DAY),
        Manifest("1.1.0", DAY, steps=(step("a", title="old words"),)),
        Manifest("1.2.0", DAY, steps=(step("a", title="new words"), step("b", repeat=True))),
    )
    made = plan(at(known, "1.0.0"), "1.2.0", known)
    assert isinstance(made, Plan)
    (leg,) = made.legs
    found = next(one for one in leg.steps if one.id == "a@1")
    assert (found.title, found.releases) == ("new words", ("1.1.0", "1.2.0"))
    assert planned(plan(at(known, "1.0.0"), "1.2.0", known, {"a@1", "b@1"})) == [["b@1"]]


def test_order_and_cycles() -> None:
    first = Manifest("1.0.0", DAY)
    known = releases(
        first,
        Manifest("1.1.0", DAY, steps=(step("z", needs=("a@1",)), step("a", needs=("b@1",)), step("b"))),
        Manifest("1.2.0", DAY, steps=(step("early", "expand"),)),
    )
    assert planned(plan(at(known, "1.0.0"), "1.2.0", known)) == [["early@1", "b@1", "a@1", "z@1"]]
    known = releases(first, Manifest("1.1.0", DAY, steps=(step("a", needs=("b@1",)), step("b", needs=("a@1",)))))
    with pytest.raises(PlanError, match="a@1 → b@1 → a@1"):
        plan(at(known, "1.0.0"), "1.1.0", known)
    known = releases(first, Manifest("1.1.0", DAY, steps=(step("a", needs=("b@1",)), step("b", "contract"))))
    with pytest.raises(PlanError, match="later phase"):
        plan(at(known, "1.0.0"), "1.1.0", known)


def test_legs_end_at_stops_and_gaps() -> None:
    known = releases(
        Manifest("1.0.0", DAY),
        Manifest("1.1.0", DAY, stop=True, stop_reason="ids become larger", restart=Restart(web="restart")),
        Manifest("1.2.0", DAY, downtime=Downtime(30, "moves the index")),
        Manifest("1.3.0", DAY, min_from="1.2.0", restart=Restart(web="reload", streaming="handover")),
    )
    made = plan(at(known, "1.0.0"), "1.3.0", known)
    assert isinstance(made, Plan)
    assert [(leg.start, leg.end) for leg in made.legs] == [("1.0.0", "1.1.0"), ("1.1.0", "1.2.0"), ("1.2.0", "1.3.0")]
    assert made.legs[0].reason == "stop: ids become larger"
    assert made.legs[1].reason.startswith("min_from: ")
    assert [leg.restart.web for leg in made.legs] == ["restart", "none", "reload"]
    assert [leg.downtime_s for leg in made.legs] == [0, 30, 0]
    text = render_plan(made)
    assert "Leg 2 of 3: 1.1.0 → 1.2.0" in text and "30 s: moves the index" in text
    assert "it will be announced to them, some minutes ahead (--announce)" in text
    quiet = plan(at(known, "1.2.0"), "1.3.0", known)
    assert isinstance(quiet, Plan) and quiet.legs and "announced" not in render_plan(quiet)
    unknown = Place("0.9.0", frozenset())
    no_way = Releases({"1.3.0": Manifest("1.3.0", DAY, min_from="1.2.0")}, {"1.3.0": frozenset({"1.3.0"})})
    assert refused(plan(unknown, "1.3.0", no_way)) == ["min_from"]


def conflict() -> History:
    history = History(random.Random(0))
    history.main = ["1.0.0", "1.1.0", "1.2.0"]
    known = releases(
        Manifest("1.0.0", DAY),
        Manifest("1.1.0", DAY, schema=Schema(contracts=("c0001",))),
        Manifest("1.2.0", DAY, schema=Schema(expands=("e0002",), needs={"e0002": ("c0001",)})),
    )
    history.manifests, history.contains = dict(known.manifests), dict(known.contains)
    return history


def test_an_expand_waits_for_its_contract() -> None:
    server = Server(conflict(), "1.0.0")
    made = server.plan("1.2.0")
    assert isinstance(made, Plan)
    assert [leg.end for leg in made.legs] == ["1.1.0", "1.2.0"]
    assert made.legs[0].reason.startswith("schema: e0002 of 1.2.0 builds on c0001")
    server.follow(made)
    late = Server(conflict(), "1.1.0")
    late.applied.clear()
    assert refused(late.plan("1.2.0")) == ["contract"]


def test_without_that_rule_the_expand_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_ends, "needs_contract_first", lambda *arguments: None)
    server = Server(conflict(), "1.0.0")
    made = server.plan("1.2.0")
    assert isinstance(made, Plan) and len(made.legs) == 1
    with pytest.raises(AssertionError, match="e0002 needs"):
        server.follow(made)


def test_skipped_steps_stay_visible() -> None:
    known = releases(
        Manifest("1.0.0", DAY),
        Manifest("1.1.0", DAY, steps=(step("a", only_if="accounts > 10"), step("b", only_if="not search"))),
    )
    made = plan(at(known, "1.0.0"), "1.1.0", known, facts=Facts(named={"accounts": 3, "search": False}))
    assert isinstance(made, Plan)
    shown = {one.id: one.skipped for one in made.legs[0].steps if one.run}
    assert shown == {"a@1": "accounts > 10 is false", "b@1": ""}
    assert "skipped: a [1.1.0]: accounts > 10 is false" in render_plan(made)
    assert refused(plan(at(known, "1.0.0"), "1.1.0", known)) == ["facts"]


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("python", Facts(python="3.11.2")),
        ("database", Facts(database="postgresql", database_version="13.9")),
        ("disk", Facts(disk_free_mb=829)),
        ("memory", Facts(ram_free_mb=100)),
        ("backfill", Facts(unfinished_backfills=("word counts",))),
        ("running", Facts(running_upgrade="to 1.0.5")),
        ("downgrade", Facts(highest_seen="1.2.0")),
    ],
)
def test_refusals(code: str, facts: Facts) -> None:
    requires = Requires(python=">=3.12", postgres=">=14", disk_free_mb="db_size*0.3 + 800", ram_free_mb="350")
    known = releases(Manifest("1.0.0", DAY), Manifest("1.1.0", DAY, requires=requires))
    facts = Facts(**{**vars(facts), "named": {"db_size": 100.0}})
    assert refused(plan(at(known, "1.0.0"), "1.1.0", known, facts=facts)) == [code]
    enough = Facts("3.12.0", "postgresql", "14.0", 830, 350, named={"db_size": 100})
    assert isinstance(plan(at(known, "1.0.0"), "1.1.0", known, facts=enough), Plan)


def test_candidates_are_asked_for() -> None:
    known = releases(Manifest("1.0.0", DAY), Manifest("1.1.0rc1", DAY, channel="rc", steps=(step("a"),)))
    assert refused(plan(at(known, "1.0.0"), "1.1.0rc1", known)) == ["prerelease"]
    assert planned(plan(at(known, "1.0.0"), "1.1.0rc1", known, allow_prerelease=True)) == [["a@1"]]
    assert refused(plan(at(known, "1.0.0"), "1.1.0", known)) == ["unknown"]
    assert planned(plan(at(known, "1.0.0"), "1.0.0", known)) == []


def test_the_hash_is_of_what_is_done() -> None:
    requires = Requires(disk_free_mb="db_size")
    known = releases(Manifest("1.0.0", DAY), Manifest("1.1.0", DAY, requires=requires, steps=(step("a"),)))
    small, large = (
        plan(at(known, "1.0.0"), "1.1.0", known, facts=Facts(named={"db_size": size})) for size in (1.0, 9.0)
    )
    done = plan(at(known, "1.0.0"), "1.1.0", known, {"a@1"}, Facts(named={"db_size": 1.0}))
    assert isinstance(small, Plan) and isinstance(large, Plan) and isinstance(done, Plan)
    assert hash_plan(small) == hash_plan(large) != hash_plan(done)
    assert plan_json(small)["legs"][0]["disk_mb"] == 1.0


# The formulas


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("db_size*0.3 + 800", 830.0),
        ("2 + 3 * 4 - 6 / 3", 12.0),
        ("(2 + 3) * 4", 20.0),
        ("10 - 2 - 3", 5.0),
    ],
)
def test_amounts(text: str, value: float) -> None:
    assert amount(text, {"db_size": 100}) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("not on", False),
        ("on and not off or off", True),
        ("off or off", False),
        ('size > 2 * 3 and kind == "sqlite"', True),
        ('kind != "sqlite"', False),
        ("not (on and off)", True),
        ("size <= 6", False),
    ],
)
def test_conditions(text: str, value: bool) -> None:
    assert is_true(text, {"on": True, "off": False, "size": 7, "kind": "sqlite"}) is value


@pytest.mark.parametrize(
    "text", ["", "1 +", "(1", "1 2", "a b", "__import__('os')", "a.b", "a[0]", "1 < 2 < 3", "not", "(" * 90, "a;b"]
)
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(ConditionError):
        check(text)


def test_what_does_not_fit() -> None:
    with pytest.raises(UnknownFact, match="search"):
        is_true("search", {})
    for text in ("1", "1 and on", "on + 1", "1 / 0 > 1", "on < 1"):
        with pytest.raises(ConditionError):
            is_true(text, {"on": True})
    with pytest.raises(ConditionError):
        amount("on", {"on": True})
    assert check("a and b*2 > c") == {"a", "b", "c"}
