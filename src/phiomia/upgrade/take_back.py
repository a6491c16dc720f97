"""Goes back by itself: from a release that did not start, or that did worse than the one before."""

from pathlib import Path
from typing import Any

from phiomia.upgrade.go_back import go_back, pointed
from phiomia.upgrade.journal import Journal
from phiomia.upgrade.outside import Outside
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Site, UpgradeError


def take_back(site: Site, journal: Journal, leg: int) -> str:
    """Undoes the switch of this leg, so that it can be tried again; gives what became of it, for people."""
    entries = [entry for entry in journal.told.switched if entry["leg"] == leg]
    if not entries or not entries[0]["current"]:
        return ""
    failures = go_back(site, pointed(entries[0]))
    for one, step in list(journal.told.done):
        if one == leg and (step == "switch" or step.startswith("restart-")):
            journal.write("undone", leg=leg, step=step)
    if failures:
        return f". Going back went wrong too: {'; '.join(failures)}"
    return f". {Path(entries[0]['current']).name} serves as before"


def finish_going_back(site: Site, journal: Journal, outside: Outside, report: Report) -> None:
    """Goes back when the journal says that the release has to go, and ends the upgrade with it.

    Raises UpgradeError then; does nothing otherwise.
    """
    tripped = [entry for entry in journal.entries if entry["kind"] == "tripped"]
    if not tripped:
        return
    leg, reason = int(tripped[-1]["leg"]), str(tripped[-1]["reason"])
    before = next(entry for entry in journal.told.switched if entry["leg"] == leg)
    to = _name(before["current"])
    report.say(f"going back to {to}: {reason}")
    failures = go_back(site, pointed(before))
    if failures:
        told = f"{reason}. Going back went wrong too: {'; '.join(failures)}"
        journal.write("failed", leg=leg, step="observe", reason=told)
        raise UpgradeError(f"{_name(before['to'])}: {told}. `phiomia upgrade resume` tries to go back again.")
    outside.sum_up()
    journal.write("rolled_back", to=to, reason=reason, by="observation", figures=tripped[-1]["figures"])
    raise UpgradeError(_tell(journal.told.plan, _name(before["to"]), to, reason, tripped[-1]["figures"]))


def _tell(plan: dict[str, Any], left: str, to: str, reason: str, figures: dict[str, float]) -> str:
    text = f"{left} was taken back after {figures['seconds']:.0f} s: {reason}. {to} serves again"
    text += ", on the database as it is: it knows what was added."
    if to != str(plan["installed"]):
        text += f" The way from {plan['installed']} to {to} was gone before, and stays."
    return text


def _name(directory: str) -> str:
    """The version in the name of a release's directory."""
    return Path(directory).name.rpartition("-")[0]
