"""Carries a plan out, action by action, each written into the journal before and after.

What has to be done follows from the journal, the ledger and the world, so an upgrade that was broken off anywhere goes
on by the same code that began it. Fetching and building is done by whatever runs; from there on the code of the
release that the leg leads to acts: this process becomes one of that release.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import NoReturn

from phiomia.upgrade import ledger
from phiomia.upgrade.actions import Action, Actions
from phiomia.upgrade.become import become
from phiomia.upgrade.build import read_release
from phiomia.upgrade.follow import follow
from phiomia.upgrade.installed import running_release
from phiomia.upgrade.journal import FINISHED, SETTLING, STOPPED, Journal, Told
from phiomia.upgrade.lock import hold_database
from phiomia.upgrade.mirror import mirror_journal
from phiomia.upgrade.notice import QUIET_PHASES, Notice
from phiomia.upgrade.observe import Observation, list_watched, with_watches
from phiomia.upgrade.outside import Outside
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Site, UpgradeError
from phiomia.upgrade.switch import SwitchRefused, read_links, runs_only
from phiomia.upgrade.take_back import finish_going_back, take_back
from phiomia.upgrade.trust import see
from phiomia.upgrade.watch import STEP

_BEFORE_SWITCH_OF_CODE = ("fetch", "build")
_LATE_PHASES = ("settle", "contract")


class Applier:
    """One upgrade, driven as far as it goes."""

    def __init__(
        self, site: Site, journal: Journal, report: Report, lock: int, is_stopping: Callable[[], bool]
    ) -> None:
        self.site = site
        self.journal = journal
        self.report = report
        self._actions = Actions(site, journal, report)
        self._outside = Outside(site, journal)
        self._notice = Notice(site, journal, site.notices)
        self._lock = lock
        self._is_stopping = is_stopping
        self._held = ExitStack()
        self._holds_database = False

    @property
    def told(self) -> Told:
        """How it stands."""
        return self.journal.told

    def drive(self, *, contract_now: bool = False) -> str:
        """Does what is left; gives the state it ends in. Raises UpgradeError."""
        told = self.told
        self.report.plan(with_watches(told.plan), {**told.done, **list_watched(self.journal)}, told.planned["at"])
        try:
            with self._held:
                finish_going_back(self.site, self.journal, self._outside, self.report)
                return self._drive(contract_now or bool(told.planned["contract_now"]))
        finally:
            self._notice.end(self.report)
            self._outside.end()
            self._mirror()
            self.report.close()

    def _drive(self, contract_now: bool) -> str:
        last_leg = len(self.told.plan["legs"]) - 1
        late: list[Action] = []
        self._notice.announce(self.report)
        for action in self._list():
            if self._is_done(action):
                continue
            if action.leg == last_leg and action.step["phase"] in _LATE_PHASES and not contract_now:
                late.append(action)
                continue
            if self._is_stopping():
                return self._stop(action)
            self._become_right_release(action)
            if action.step["phase"] not in QUIET_PHASES and not self._notice.wait(self.report, self._is_stopping):
                return self._stop(action)
            if action.id == STEP:
                if not self._observe(action):
                    return self._stop(action)
            else:
                self._do(action)
        return self._end(late)

    def _list(self) -> list[Action]:
        legs = with_watches(self.told.plan)["legs"]
        return [Action(leg, step) for leg, one in enumerate(legs) for step in one["steps"]]

    def _stop(self, action: Action) -> str:
        self.journal.write("stopped", reason="somebody asked for it", leg=action.leg, step=action.id)
        return STOPPED

    def _end(self, late: list[Action]) -> str:
        self._outside.sum_up()
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

    # What is done

    def _is_done(self, action: Action) -> bool:
        told = self.told
        if action.id == STEP:
            return self._is_left_behind(action.leg) or self._observation(action).is_over()
        if action.key not in told.done:
            return False
        return not told.resumed or self._still_holds(action)

    def _still_holds(self, action: Action) -> bool:
        """Whether the world is still as the journal says; somebody may have acted since."""
        release = self._actions.directory(action.leg)
        if action.id == "build":
            return read_release(release) is not None
        if self._is_left_behind(action.leg):
            return True
        if action.id == "switch":
            return read_links(self.site.places).current == release.resolve()
        if action.id.startswith("restart-"):
            return runs_only(self.site.run_dir, action.id.removeprefix("restart-"), release)
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
            self._outside.begin()
        self.report.start(action.leg, step)
        self.journal.write("started", leg=action.leg, step=action.id)
        began = time.monotonic()
        try:
            told = self._actions.act(action)
        except Exception as error:
            self._fail(action, error)
        seconds = time.monotonic() - began
        self.journal.write("done", leg=action.leg, step=action.id, seconds=round(seconds, 3), **told)
        self.report.finish(action.leg, step, seconds, str(told.get("note", "")))

    def _fail(self, action: Action, error: Exception) -> NoReturn:
        reason = str(error) or type(error).__name__
        if isinstance(error, SwitchRefused):
            reason = f"{action.id.removeprefix('restart-')} did not take the new release up: {reason}"
            reason += take_back(self.site, self.journal, action.leg)
        self.journal.write("failed", leg=action.leg, step=action.id, reason=reason)
        self.report.fail(action.leg, action.step, reason)
        raise UpgradeError(f"{action.id}: {reason}") from error

    def _observe(self, action: Action) -> bool:
        """Watches what now serves; False when somebody did not want to wait. Raises UpgradeError: it went back."""
        self._hold_database()
        self._outside.begin()
        self.report.start(action.leg, action.step)
        watched = self._observation(action).run(self.report, self._is_stopping)
        if watched.reason:
            self.report.fail(action.leg, action.step, watched.reason)
            self.journal.write("tripped", leg=action.leg, reason=watched.reason, figures=watched.figures)
            finish_going_back(self.site, self.journal, self._outside, self.report)
        if not watched.stopped:
            self.report.finish(action.leg, action.step, watched.figures.get("seconds", 0.0), watched.note)
        return not watched.stopped

    def _observation(self, action: Action) -> Observation:
        return Observation(self.site, self.journal, action.leg, self._actions.directory(action.leg))

    # Surroundings

    def _become_right_release(self, action: Action) -> None:
        if action.step["phase"] in _BEFORE_SWITCH_OF_CODE and not action.step["run"]:
            return
        directory = self._actions.directory(action.leg)
        release = read_release(directory)
        if release is None:
            raise UpgradeError(f"{directory} is gone: resume to build it again.")
        if running_release() != release.path:
            self._held.close()
            self.report.hand_over()
            become(release, ["upgrade", "continue", "--journal", str(self.journal.path)], self._lock, self.site.places)

    def _hold_database(self) -> None:
        if not self._holds_database:
            self._held.enter_context(hold_database(self.site.config.database_url))
            self._holds_database = True
            if self.told.plan["installed"]:
                ledger.begin(self.site.config.database_url, str(self.told.plan["installed"]))

    def _mirror(self) -> None:
        try:
            mirror_journal(self.journal, self.site.config.database_url)
        except Exception as error:
            # The file is what counts; why the upgrade ended must not be hidden by this.
            self.report.say(f"the journal could not be copied into the database: {error}")
