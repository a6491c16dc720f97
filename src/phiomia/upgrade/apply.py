"""Carries a plan out, action by action, each written into the journal before and after.

What has to be done follows from the journal, the ledger and the world, so an upgrade that was broken off anywhere goes
on by the same code that began it. Fetching and building is done by whatever runs; from there on the code of the
release that the leg leads to acts: this process becomes one of that release.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from phiomia.platform.config import Config
from phiomia.upgrade import backfills, ledger, schema
from phiomia.upgrade.assets import drop_assets
from phiomia.upgrade.assurance import assure
from phiomia.upgrade.backfills import Backfill
from phiomia.upgrade.backup import make_backup
from phiomia.upgrade.build import Release, build_release, list_releases, read_release, remove_release
from phiomia.upgrade.database import connect
from phiomia.upgrade.follow import follow
from phiomia.upgrade.installed import running_release
from phiomia.upgrade.journal import FINISHED, SETTLING, STOPPED, Journal, JournalError, Told
from phiomia.upgrade.lock import hold_database, pass_on
from phiomia.upgrade.mirror import mirror_journal
from phiomia.upgrade.places import Places
from phiomia.upgrade.probe import BASELINE_S, find_probe, judge, list_targets, start_probe, stop_probe, sum_up
from phiomia.upgrade.processes import used_releases
from phiomia.upgrade.report import Report
from phiomia.upgrade.steps import OpenDatabase, run_step
from phiomia.upgrade.switch import (
    ROLES,
    Pointed,
    SwitchRefused,
    bring_roles,
    is_running,
    point,
    read_links,
    restore_links,
    runs_only,
    wait_until_settled,
)
from phiomia.upgrade.trust import pin, see

KEPT_RELEASES = 3
_ENDING_FIRST = {("restart-web", "restart"), ("restart-streaming", "reconnect")}
_BEFORE_SWITCH_OF_CODE = ("fetch", "build")
_LATE_PHASES = ("settle", "contract")


class UpgradeError(Exception):
    """The upgrade can't go on; the message says why and what to do."""


class Site(NamedTuple):
    """The server that is upgraded."""

    places: Places
    config: Config
    open_database: OpenDatabase
    load_backfills: Callable[[], Sequence[Backfill]]

    @property
    def run_dir(self) -> Path:
        """Where its processes tell how they are."""
        return self.config.data_dir / "run"


class Action(NamedTuple):
    """A step of the plan in its leg."""

    leg: int
    step: dict[str, Any]

    @property
    def id(self) -> str:
        """The step's name."""
        return str(self.step["id"])

    @property
    def key(self) -> tuple[int, str]:
        """What the journal calls it."""
        return self.leg, self.id


class Applier:
    """One upgrade, driven as far as it goes."""

    def __init__(
        self, site: Site, journal: Journal, report: Report, lock: int, is_stopping: Callable[[], bool]
    ) -> None:
        self.site = site
        self.journal = journal
        self.report = report
        self._lock = lock
        self._is_stopping = is_stopping
        self._held = ExitStack()
        self._holds_database = False
        self._probes = False

    @property
    def told(self) -> Told:
        """How it stands."""
        return self.journal.told

    def drive(self, *, contract_now: bool = False) -> str:
        """Does what is left; gives the state it ends in. Raises UpgradeError."""
        told = self.told
        self.report.plan(told.plan, told.done, told.planned["at"])
        try:
            with self._held:
                return self._drive(contract_now or bool(told.planned["contract_now"]))
        finally:
            stop_probe(self._samples)
            self._mirror()
            self.report.close()

    def _drive(self, contract_now: bool) -> str:
        actions = self._actions()
        last_leg = len(self.told.plan["legs"]) - 1
        late: list[Action] = []
        for action in actions:
            if self._is_done(action):
                continue
            if action.leg == last_leg and action.step["phase"] in _LATE_PHASES and not contract_now:
                late.append(action)
                continue
            if self._is_stopping():
                self.journal.write("stopped", reason="somebody asked for it", leg=action.leg, step=action.id)
                return STOPPED
            self._become_right_release(action)
            self._do(action)
        return self._end(late)

    def _end(self, late: list[Action]) -> str:
        self._sum_up()
        target = str(self.told.plan["target"])
        see(self.site.places.state, target)
        if stays := follow(self.site.places, str(self.told.plan["installed"]), target):
            self.report.say(stays)
        for samples in self.journal.path.parent.glob("*.probe"):
            # Of upgrades that failed and were not resumed.
            samples.unlink()
        if any(not action.step["skipped"] for action in late):
            self.journal.write("settling", left=[action.id for action in late])
            return SETTLING
        self.journal.write("finished")
        return FINISHED

    def _actions(self) -> list[Action]:
        return [Action(leg, step) for leg, one in enumerate(self.told.plan["legs"]) for step in one["steps"]]

    # What is done

    def _is_done(self, action: Action) -> bool:
        told = self.told
        if action.key not in told.done:
            return False
        return not told.resumed or self._still_holds(action)

    def _still_holds(self, action: Action) -> bool:
        """Whether the world is still as the journal says; somebody may have acted since."""
        if action.id == "build":
            return read_release(self._directory(action.leg)) is not None
        if self._is_left_behind(action.leg):
            return True
        if action.id == "switch":
            return read_links(self.site.places).current == self._directory(action.leg).resolve()
        if action.id.startswith("restart-"):
            name = action.id.removeprefix("restart-")
            return runs_only(self.site.run_dir, name, self._directory(action.leg))
        return True

    def _is_left_behind(self, leg: int) -> bool:
        return any(later > leg and step == "switch" for later, step in self.told.done)

    # One action

    def _do(self, action: Action) -> None:
        step = action.step
        if step["skipped"]:
            self.report.finish(action.leg, step, 0.0, f"skipped: {step['skipped']}")
            self.journal.write("done", leg=action.leg, step=action.id, seconds=0.0, note=step["skipped"])
            return
        if step["phase"] not in _BEFORE_SWITCH_OF_CODE:
            self._hold_database()
            self._probe()
        self.report.start(action.leg, step)
        self.journal.write("started", leg=action.leg, step=action.id)
        began = time.monotonic()
        try:
            told = self._act(action)
        except Exception as error:
            self._fail(action, error)
        seconds = time.monotonic() - began
        self.journal.write("done", leg=action.leg, step=action.id, seconds=round(seconds, 3), **told)
        self.report.finish(action.leg, step, seconds, str(told.get("note", "")))

    def _fail(self, action: Action, error: Exception) -> NoReturn:
        reason = str(error) or type(error).__name__
        if isinstance(error, SwitchRefused):
            reason = f"{action.id.removeprefix('restart-')} did not take the new release up: {reason}"
            reason += self._take_back(action.leg)
        self.journal.write("failed", leg=action.leg, step=action.id, reason=reason)
        self.report.fail(action.leg, action.step, reason)
        raise UpgradeError(f"{action.id}: {reason}") from error

    def _act(self, action: Action) -> dict[str, Any]:
        own = {
            "fetch": self._fetch,
            "build": self._build,
            "backup": self._backup,
            "migrate-expand": self._expand,
            "switch": self._switch,
            "backfills": self._backfill,
            "settle": self._settle,
            "migrate-contract": self._contract,
            "cleanup": self._clean_up,
        }
        if action.step["run"]:
            return self._run_step(action)
        if action.id.startswith("restart-"):
            return self._bring(action)
        if action.id not in own:
            raise UpgradeError(f"This release does not know what {action.id} is.")
        return own[action.id](action)

    def _fetch(self, action: Action) -> dict[str, Any]:
        version, commit = self._goal(action.leg)
        # It was looked at when it was planned; what counts is what is built.
        found = assure(self.site.places, self.site.config, version)
        pin(self.site.places.state, version, found)
        if found != commit:
            raise UpgradeError(f"v{version} was {commit[:12]} when this was planned and is {found[:12]} now.")
        return {"commit": commit}

    def _build(self, action: Action) -> dict[str, Any]:
        version, commit = self._goal(action.leg)
        offline = bool(self.told.planned["offline"])
        release = build_release(self.site.places, version, commit, self.report, offline=offline)
        return {"path": str(release.path)}

    def _backup(self, action: Action) -> dict[str, Any]:
        backup = make_backup(self.site.places, self.site.config, self.report)
        note = "a fresh one is there" if backup.reused else ""
        return {"path": str(backup.path), "rows": dict(backup.rows), **({"note": note} if note else {})}

    def _expand(self, action: Action) -> dict[str, Any]:
        url = self.site.config.database_url
        applied = asyncio.run(schema.apply_expand(url, report=self.report.say))
        # Only now a database without ledger has one.
        ledger.begin(url, str(self.told.plan["installed"]))
        return {"applied": applied}

    def _switch(self, action: Action) -> dict[str, Any]:
        places = self.site.places
        before = read_links(places)
        release = self._directory(action.leg)
        self.journal.write(
            "switched", leg=action.leg, current=_text(before.current), previous=_text(before.previous), to=str(release)
        )
        point(places, release)
        return {}

    def _bring(self, action: Action) -> dict[str, Any]:
        name = action.id.removeprefix("restart-")
        run_dir, release = self.site.run_dir, self._directory(action.leg)
        if not is_running(run_dir, name):
            return {"note": "it does not run: the next start takes the new release"}
        if runs_only(run_dir, name, release):
            return {"note": "runs it already"}
        bring_roles(run_dir, self._brought_with(action), self._need(action))
        if not runs_only(run_dir, name, release):
            raise SwitchRefused("its processes still run another release")
        return {}

    def _brought_with(self, action: Action) -> list[str]:
        """The role of this action and those that follow at once: together they take the time of one."""
        names = []
        actions = self._actions()
        for one in actions[actions.index(action) :]:
            if not one.id.startswith("restart-") or one.leg != action.leg or self._need(one) != self._need(action):
                break
            names.append(one.id.removeprefix("restart-"))
        return [name for name in names if is_running(self.site.run_dir, name)]

    def _need(self, action: Action) -> str:
        need = str(self.told.plan["legs"][action.leg]["restart"][action.id.removeprefix("restart-")])
        # Where old and new can serve beside each other nobody has to wait, and a refusal changes nothing.
        return "restart" if (action.id, need) in _ENDING_FIRST else "reload"

    def _backfill(self, action: Action) -> dict[str, Any]:
        known = self.site.load_backfills()
        if not asyncio.run(self._list_unfinished(known)):
            return {"note": "nothing to fill in"}
        # What old processes write would have to be filled in again.
        self._settle(action)
        if not asyncio.run(self._fill_in(known)):
            raise UpgradeError("workers are at it already; `phiomia backfills` shows how far they are. Resume later.")
        return {}

    async def _list_unfinished(self, known: Sequence[Backfill]) -> list[str]:
        async with self.site.open_database(self.site.config) as db, db.read() as session:
            return await backfills.list_unfinished(session, known)

    async def _fill_in(self, known: Sequence[Backfill]) -> bool:
        async with self.site.open_database(self.site.config) as db:
            return await backfills.run(db, known, self.report.say)

    def _settle(self, action: Action) -> dict[str, Any]:
        restart = self.told.plan["legs"][action.leg]["restart"]
        untouched = {role for name, role in ROLES.items() if restart[name] == "none"}
        release = self._directory(action.leg)
        left = wait_until_settled(self.site.places, self.site.run_dir, release, untouched, self.report.say)
        if left:
            names = ", ".join(f"{one.role} {one.pid}" for one in left)
            raise UpgradeError(f"these processes run another release: {names}; end them, then resume")
        return {}

    def _contract(self, action: Action) -> dict[str, Any]:
        # However long ago it settled: somebody may have started an old process since.
        self._settle(action)
        return {"applied": asyncio.run(schema.apply_contract(self.site.config.database_url, report=self.report.say))}

    def _clean_up(self, action: Action) -> dict[str, Any]:
        return {"removed": clean_releases(self.site.places, self.report)}

    def _run_step(self, action: Action) -> dict[str, Any]:
        step = action.step
        plan = f"{self.journal.id}/{action.leg}"
        if any(entry.plan_hash == plan for entry in self._entries_of(action.id)):
            return {"note": "executed already"}
        if not step["repeat"] and self._entries_of(action.id):
            return {"note": "executed already, by hand or by another upgrade"}
        run_step(
            action.id,
            str(step["run"]),
            str(step["releases"][-1]),
            config=self.site.config,
            open_database=self.site.open_database,
            report=self.report,
            plan=plan,
        )
        return {}

    def _entries_of(self, step_id: str) -> list[ledger.Entry]:
        return [entry for entry in ledger.entries(self.site.config.database_url) if entry.step_id == step_id]

    # Going back

    def _take_back(self, leg: int) -> str:
        """Undoes the switch of this leg; gives what became of it, for people."""
        entries = [entry for entry in self.told.switched if entry["leg"] == leg]
        if not entries or not entries[0]["current"]:
            return ""
        failures = go_back(self.site, pointed(entries[0]))
        for step in [
            step for one, step in self.told.done if one == leg and (step == "switch" or step[:8] == "restart-")
        ]:
            self.journal.write("undone", leg=leg, step=step)
        if failures:
            return f". Going back went wrong too: {'; '.join(failures)}"
        return f". {Path(entries[0]['current']).name} serves as before"

    # Surroundings

    def _goal(self, leg: int) -> tuple[str, str]:
        version = str(self.told.plan["legs"][leg]["end"])
        return version, str(self.told.planned["commits"][version])

    def _directory(self, leg: int) -> Path:
        return self.site.places.release_directory(*self._goal(leg))

    def _become_right_release(self, action: Action) -> None:
        if action.step["phase"] in _BEFORE_SWITCH_OF_CODE and not action.step["run"]:
            return
        release = read_release(self._directory(action.leg))
        if release is None:
            raise UpgradeError(f"{self._directory(action.leg)} is gone: resume to build it again.")
        if running_release() != release.path:
            self._held.close()
            become(release, ["upgrade", "continue", "--journal", str(self.journal.path)], self._lock, self.site.places)

    def _hold_database(self) -> None:
        if not self._holds_database:
            self._held.enter_context(hold_database(self.site.config.database_url))
            self._holds_database = True
            if self.told.plan["installed"]:
                ledger.begin(self.site.config.database_url, str(self.told.plan["installed"]))

    @property
    def _samples(self) -> Path:
        return self.journal.path.with_suffix(".probe")

    def _probe(self) -> None:
        """Lets somebody watch the server from outside from before anything changes."""
        told = any(entry["kind"] == "probed" for entry in self.journal.entries)
        if self._probes or told or not is_running(self.site.run_dir, "web"):
            return
        self._probes = True
        config = self.site.config
        if not find_probe(self._samples):
            targets = list_targets(config.bind, config.public_url, config.web_domain)
            start_probe(self._samples, targets, config.database_url)
            self.journal.write("probing", job_age_s=oldest_job(config.database_url))
            time.sleep(BASELINE_S)

    def _sum_up(self) -> None:
        begun = [entry for entry in self.journal.entries if entry["kind"] == "probing"]
        if not begun or any(entry["kind"] == "probed" for entry in self.journal.entries):
            return
        time.sleep(BASELINE_S)
        stop_probe(self._samples)
        summary = sum_up(self._samples, self.journal.entries)
        oldest = {"before": begun[0]["job_age_s"], "after": oldest_job(self.site.config.database_url)}
        ages = {**oldest, **summary["job_age_s"]}
        self.journal.write("probed", summary={**summary, "job_age_s": ages, "verdict": judge(summary)})
        self._samples.unlink(missing_ok=True)

    def _mirror(self) -> None:
        try:
            mirror_journal(self.journal, self.site.config.database_url)
        except Exception as error:
            # The file is what counts; why the upgrade ended must not be hidden by this.
            self.report.say(f"the journal could not be copied into the database: {error}")


def oldest_job(database_url: str) -> float:
    """For how many seconds the oldest job waits that could be done."""
    with connect(database_url) as connection:
        now = int(time.time() * 1000)
        found = connection.rows("SELECT min(run_at) FROM jobs WHERE run_at <= ?", now)[0][0]
    return round((now - int(found)) / 1000, 1) if found is not None else 0.0


def clean_releases(places: Places, report: Report) -> list[str]:
    """Removes the releases that nothing runs and nobody would go back to; gives their names."""
    links = read_links(places)
    kept = [release.path for release in list_releases(places)][:KEPT_RELEASES]
    needed = {*kept, *used_releases(places), *(one for one in links if one)}
    removed = [release.path for release in list_releases(places) if release.path not in needed]
    for path in removed:
        report.say(f"removing {path.name}")
        remove_release(path)
    drop_assets(places.assets, [release.path for release in list_releases(places)])
    return [path.name for path in removed]


def go_back(site: Site, to: Pointed) -> list[str]:
    """Points `current` back and lets every role follow; gives what went wrong."""
    if to.current is None:
        return ["there is no release to go back to"]
    restore_links(site.places, to)
    failures = []
    for name in ("web", "workers", "streaming"):
        if is_running(site.run_dir, name) and not runs_only(site.run_dir, name, to.current):
            try:
                bring_roles(site.run_dir, [name], "reload")
            except SwitchRefused as error:
                failures.append(f"{name}: {error}")
    return failures


def become(release: Release, arguments: Iterable[str], lock: int, places: Places) -> NoReturn:
    """Replaces this process by a command of another release, which keeps the lock."""
    # Between the two nobody listens for Ctrl-C; it must not end the upgrade in the middle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = {**os.environ, **pass_on(lock), **places.environ()}
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        environment.pop(name, None)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(release.python, [str(release.python), "-P", "-m", "phiomia", *arguments], environment)  # noqa: S606


def find_open(journals: Iterable[Journal], states: Iterable[str]) -> Journal:
    """The latest upgrade in one of these states. Raises JournalError."""
    wanted = tuple(states)
    for journal in reversed(list(journals)):
        if journal.told.state in wanted:
            return journal
    raise JournalError("No upgrade is waiting for that.")


def pointed(entry: dict[str, Any]) -> Pointed:
    """Where the links pointed before a switch, from its journal entry."""
    return Pointed(*(Path(entry[name]) if entry[name] else None for name in ("current", "previous")))


def _text(path: Path | None) -> str:
    return str(path) if path else ""
