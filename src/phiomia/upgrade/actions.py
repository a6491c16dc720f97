"""What each step of a plan does. Standard work of every upgrade here, instructions of releases by `steps`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phiomia.upgrade import backfills, ledger, schema
from phiomia.upgrade.assurance import assure
from phiomia.upgrade.backfills import Backfill
from phiomia.upgrade.backup import make_backup
from phiomia.upgrade.build import build_release
from phiomia.upgrade.cleaning import clean_releases
from phiomia.upgrade.journal import Journal, Told
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Site, UpgradeError
from phiomia.upgrade.steps import run_step
from phiomia.upgrade.switch import (
    ROLES,
    SwitchRefused,
    bring_roles,
    is_running,
    point,
    read_links,
    runs_only,
    wait_until_settled,
)
from phiomia.upgrade.trust import pin
from phiomia.upgrade.watch import note_baseline

_ENDING_FIRST = {("restart-web", "restart"), ("restart-streaming", "reconnect")}


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


class Actions:
    """Carries single steps out, for one upgrade."""

    def __init__(self, site: Site, journal: Journal, report: Report) -> None:
        self.site = site
        self.journal = journal
        self.report = report

    @property
    def told(self) -> Told:
        """How the upgrade stands."""
        return self.journal.told

    def list_all(self) -> list[Action]:
        """All steps of all legs, in their order."""
        return [Action(leg, step) for leg, one in enumerate(self.told.plan["legs"]) for step in one["steps"]]

    def act(self, action: Action) -> dict[str, Any]:
        """Executes a step; gives what the journal shall say of it. Raises what went wrong."""
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
        version, commit = self.goal(action.leg)
        # It was looked at when it was planned; what counts is what is built.
        found = assure(self.site.places, self.site.config, version)
        pin(self.site.places.state, version, found)
        if found != commit:
            raise UpgradeError(f"v{version} was {commit[:12]} when this was planned and is {found[:12]} now.")
        return {"commit": commit}

    def _build(self, action: Action) -> dict[str, Any]:
        version, commit = self.goal(action.leg)
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
        release = self.directory(action.leg)
        note_baseline(self.site.config, self.journal, action.leg)
        self.journal.write(
            "switched", leg=action.leg, current=_text(before.current), previous=_text(before.previous), to=str(release)
        )
        point(places, release)
        return {}

    def _bring(self, action: Action) -> dict[str, Any]:
        name = action.id.removeprefix("restart-")
        run_dir, release = self.site.run_dir, self.directory(action.leg)
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
        actions = self.list_all()
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
        release = self.directory(action.leg)
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

    def goal(self, leg: int) -> tuple[str, str]:
        """The release that a leg leads to, and its commit."""
        version = str(self.told.plan["legs"][leg]["end"])
        return version, str(self.told.planned["commits"][version])

    def directory(self, leg: int) -> Path:
        """Where that release is, or will be."""
        return self.site.places.release_directory(*self.goal(leg))


def _text(path: Path | None) -> str:
    return str(path) if path else ""
