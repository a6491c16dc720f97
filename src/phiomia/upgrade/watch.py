"""Watches a release for a while after every role has taken it up, and says when it does worse than the one before.

What counts is what the server's processes have counted since they began, so nothing is lost when whoever watches is
killed: who goes on watches what is left of the time, and sees all of it.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from phiomia.platform.config import Config
from phiomia.upgrade.counted import Counted, Seen, add_up, load_counted, look
from phiomia.upgrade.journal import Journal
from phiomia.upgrade.prober.samples import read_samples
from phiomia.upgrade.prober.summary import Window
from phiomia.upgrade.report import Report
from phiomia.upgrade.verdict import Evidence, Share, describe_evidence, figures, judge_release

STEP = "observe"
LOOK_EVERY_S = 1.0
_REVISIONS = ("migrate-expand", "migrate-contract")


class Watched(NamedTuple):
    """How the watch ended: `reason` says why the release must go, `stopped` that somebody did not want to wait."""

    reason: str
    figures: Mapping[str, float]
    stopped: bool = False
    note: str = ""


def watch_seconds(config: Config, leg: Mapping[str, Any]) -> float:
    """For how long the release that a leg leads to is watched; what changes neither schema nor data takes less."""
    final = any(step["run"] and not step["skipped"] and step["reversible"] == "restore" for step in leg["steps"])
    patch = not final and not any(step["id"] in _REVISIONS for step in leg["steps"])
    upgrade = config.upgrade
    return min(upgrade.observe_s, upgrade.observe_patch_s) if patch else upgrade.observe_s


def note_baseline(config: Config, journal: Journal, leg: int) -> None:
    """Writes into the journal what the processes counted that serve now, before anything is switched, and once."""
    seen = look(config)
    if not seen.roles or any(one["kind"] == "baseline" and one["leg"] == leg for one in journal.entries):
        return
    roles = {role: _sum_role(seen, role).save() for role in sorted({seen.roles[pid] for pid in seen.counted})}
    journal.write("baseline", leg=leg, roles=roles)


def is_watched(journal: Journal, leg: int) -> bool:
    """Whether the release of this leg was watched to the end since it was made the current one."""
    told = [one["kind"] for one in journal.entries if one.get("leg") == leg and one["kind"] in ("switched", "observed")]
    return bool(told) and told[-1] == "observed"


class Watch:
    """The watch over the release of one leg."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        leg: int,
        release: Path,
        report: Report,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._config = config
        self._journal = journal
        self._leg = leg
        self._release = release.resolve()
        self._report = report
        self._is_stopping = is_stopping
        self._began = 0.0
        self._last: dict[int, tuple[str, Counted]] = {}
        self._seen: Seen | None = None
        self._deaths = 0
        self._last_death = ""
        self._unready_since: float | None = None

    def run(self, seconds: float) -> Watched:
        """Watches until the time is over or the release has to go."""
        self._began = self._begin(seconds)
        while True:
            evidence = self._look()
            self._report.progress(min(evidence.seconds, seconds), seconds, describe_evidence(evidence))
            reason = judge_release(evidence)
            if reason or evidence.seconds >= seconds:
                return Watched(reason, figures(evidence))
            if self._is_stopping():
                return Watched("", figures(evidence), stopped=True)
            time.sleep(min(LOOK_EVERY_S, max(0.05, seconds - evidence.seconds)))

    def _begin(self, seconds: float) -> float:
        """When the watch over this release began, perhaps by somebody who was killed."""
        begun = 0.0
        for entry in self._journal.entries:
            if entry.get("leg") == self._leg and entry["kind"] in ("switched", "observing"):
                begun = float(entry["at"]) if entry["kind"] == "observing" else 0.0
        return begun or float(self._journal.write("observing", leg=self._leg, seconds=seconds)["at"])

    def _look(self) -> Evidence:
        seen = look(self._config, self._release)
        self._note_deaths(seen)
        for pid, counted in seen.counted.items():
            self._last[pid] = seen.roles[pid], counted
        self._seen = seen
        unready, unready_s = self._note_unready(seen)
        before, probed = self._read_probe()
        return Evidence(
            seconds=time.time() - self._began,
            before=self._read_baseline({role for role, _ in self._last.values()}),
            now=add_up(counted for _, counted in self._last.values()),
            probed_before=before,
            probed=probed,
            deaths=self._deaths,
            last_death=self._last_death,
            unready_s=unready_s,
            unready=unready,
        )

    def _note_deaths(self, seen: Seen) -> None:
        """Counts those that served at the last look and are gone although nobody told them to go."""
        if self._seen is None:
            return
        marks = {_mark(one.status) for one in self._seen.supervisors}
        for supervisor in seen.supervisors:
            # Where somebody has reloaded or restarted meanwhile, processes go as they should.
            if _mark(supervisor.status) not in marks:
                continue
            known = {child["pid"] for child in supervisor.status["children"]}
            for pid, role in self._seen.roles.items():
                if role in supervisor.roles and pid not in known:
                    self._deaths += 1
                    self._last_death = f"{role} {pid}"

    def _note_unready(self, seen: Seen) -> tuple[str, float]:
        silent = {role for role, _ in self._last.values()} - set(seen.roles.values())
        told = [f"{seen.roles[pid]} {pid}: {why}" for pid, why in seen.obstacles.items()]
        told += [f"no process serves as {role}" for role in sorted(silent)]
        if not told:
            self._unready_since = None
            return "", 0.0
        if self._unready_since is None:
            self._unready_since = time.monotonic()
        return "; ".join(told), time.monotonic() - self._unready_since

    def _read_baseline(self, roles: set[str]) -> Counted:
        baselines = [one for one in self._journal.entries if one["kind"] == "baseline" and one["leg"] == self._leg]
        known = baselines[-1]["roles"] if baselines else {}
        return add_up(load_counted(saved) for role, saved in known.items() if role in roles)

    def _read_probe(self) -> tuple[Share, Share]:
        requests = read_samples(self._journal.path.with_suffix(".probe")).requests
        window = Window(self._journal.entries)
        before = [one.wrong for one in requests if window.when(one.at, one.until) == "before"]
        now = [one.wrong for one in requests if one.at > self._began]
        return _share(before), _share(now)


def _sum_role(seen: Seen, role: str) -> Counted:
    return add_up(counted for pid, counted in seen.counted.items() if seen.roles[pid] == role)


def _share(answers: list[str]) -> Share:
    wrong = [why for why in answers if why]
    return Share(len(answers), len(wrong), wrong[0] if wrong else "")


def _mark(status: Mapping[str, Any]) -> tuple[int, int, int]:
    return status["pid"], status["generation"], status["attempt"]
