"""The watch as a step of an upgrade: after every role has taken a release up, before anything is removed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from phiomia.upgrade.journal import Journal
from phiomia.upgrade.manifest import PHASES
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Site
from phiomia.upgrade.switch import ROLES, is_running
from phiomia.upgrade.watch import STEP, Watch, Watched, is_watched, watch_seconds

_LAST = PHASES.index("streaming")


class Observation:
    """The watch over the release that a leg leads to."""

    def __init__(self, site: Site, journal: Journal, leg: int, release: Path) -> None:
        self._site = site
        self._journal = journal
        self._leg = leg
        self._release = release

    def is_over(self) -> bool:
        """Whether it was watched to the end."""
        return is_watched(self._journal, self._leg)

    def run(self, report: Report, is_stopping: Callable[[], bool]) -> Watched:
        """Watches it for as long as the settings say, which may be not at all."""
        seconds = watch_seconds(self._site.config, self._journal.told.plan["legs"][self._leg])
        serves = any(is_running(self._site.run_dir, name) for name in ROLES)
        if not seconds or not serves:
            note = "not watched: " + ("the settings say so" if serves else "nothing serves")
            # Else the release of the next leg would take it for what is still to be done, by this one.
            self._journal.write("observed", leg=self._leg, figures={"seconds": 0.0}, note=note)
            return Watched("", {}, note=note)
        watch = Watch(self._site.config, self._journal, self._leg, self._release, report, is_stopping)
        watched = watch.run(seconds)
        if not watched.reason and not watched.stopped:
            self._journal.write("observed", leg=self._leg, figures=watched.figures)
        return watched


def list_watched(journal: Journal) -> dict[tuple[int, str], dict[str, Any]]:
    """The watches that are over, as steps that were done."""
    return {
        (int(entry["leg"]), STEP): {"seconds": entry["figures"]["seconds"]}
        for entry in journal.entries
        if entry["kind"] == "observed"
    }


def with_watches(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with the watch at its place in each leg. A plan does not have it itself: older releases made some."""
    return {**plan, "legs": [{**leg, "steps": _add_watch(leg["steps"], leg["end"])} for leg in plan["legs"]]}


def _add_watch(steps: list[dict[str, Any]], release: str) -> list[dict[str, Any]]:
    if not any(step["id"] == "switch" for step in steps):
        return steps
    before = [step for step in steps if PHASES.index(step["phase"]) <= _LAST]
    watch = {
        "id": STEP,
        "phase": PHASES[_LAST],
        "title": f"Watch {release}, and go back if it does worse",
        "run": "",
        "skipped": "",
        "reversible": "noop",
        "releases": [release],
    }
    return [*before, watch, *steps[len(before) :]]
