"""Goes back to the release before. Until something was removed from the schema, the database can stay as it is."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade import schema
from phiomia.upgrade.backup import how_to_restore
from phiomia.upgrade.build import read_release
from phiomia.upgrade.compat import TooOld, refuse_if_too_old
from phiomia.upgrade.follow import follow
from phiomia.upgrade.go_back import go_back, pointed
from phiomia.upgrade.journal import FAILED, FINISHED, RUNNING, SETTLING, STOPPED, Journal, find_open, list_journals
from phiomia.upgrade.lock import hold_lock
from phiomia.upgrade.mirror import mirror_journal
from phiomia.upgrade.notice import Notice
from phiomia.upgrade.outside import Outside
from phiomia.upgrade.report import Report
from phiomia.upgrade.site import Site, UpgradeError


class WentBack(NamedTuple):
    """What a rollback has done."""

    journal: Journal
    to: str
    notes: tuple[str, ...]


def roll_back(site: Site, report: Report) -> WentBack:
    """Undoes the last upgrade as far as processes go. Raises UpgradeError, JournalError, Locked."""
    with hold_lock(site.places.state):
        journal = find_open(list_journals(site.places.journal), (RUNNING, FAILED, STOPPED, SETTLING, FINISHED))
        told = journal.told
        _refuse_after_contract(journal)
        Notice(site, journal, site.notices).end(report)
        outside = Outside(site, journal)
        if not told.switched:
            outside.sum_up()
            journal.write("rolled_back", to=told.plan["installed"], reason="nothing had been switched yet")
            mirror_journal(journal, site.config.database_url)
            return WentBack(journal, str(told.plan["installed"]), ("Nothing had been switched yet.",))
        first = pointed(told.switched[0])
        release = read_release(first.current) if first.current else None
        if release is None:
            raise UpgradeError(f"The release before, {told.plan['installed']}, is not here any more.")
        _refuse_after_others(site, journal)
        _refuse_too_old(site, release.version)
        report.say(f"going back to {release.version}")
        failures = go_back(site, first)
        if failures:
            raise UpgradeError(f"{release.version} is the current release again, but {'; '.join(failures)}")
        if stays := follow(site.places, str(told.plan["target"]), release.version):
            report.say(stays)
        outside.sum_up()
        journal.write("rolled_back", to=release.version, reason="somebody asked for it")
        mirror_journal(journal, site.config.database_url)
        return WentBack(journal, release.version, tuple(_notes(journal)))


def find_backup_of(journal: Journal) -> Path | None:
    """The backup that an upgrade made or relied on."""
    found = [
        Path(entry["path"]) for (_, step), entry in journal.told.done.items() if step == "backup" and "path" in entry
    ]
    return found[0] if found else None


def _refuse_after_contract(journal: Journal) -> None:
    begun = [one for one in journal.entries if one.get("step") == "migrate-contract" and one["kind"] == "started"]
    if not begun:
        return
    backup = find_backup_of(journal)
    how = how_to_restore(backup) if backup else "there was none; look for one of your own"
    raise UpgradeError(
        f"The upgrade to {journal.told.plan['target']} has removed from the schema what older releases read."
        f" Only restoring the backup goes back, and loses what was written since: {how}"
    )


def _refuse_after_others(site: Site, journal: Journal) -> None:
    """What somebody has made the current release by hand since is not this upgrade's to undo."""
    switched = journal.told.switched
    known = {Path(entry["to"]) for entry in switched} | {Path(entry["current"]) for entry in switched}
    current = read_release(site.places.current)
    if current is not None and current.path not in {path.resolve() for path in known}:
        raise UpgradeError(
            f"{current.version} was taken up by hand after the upgrade to {journal.told.plan['target']}."
            " Go back by hand too: check the older release out, then reload and restart the units."
        )


def _refuse_too_old(site: Site, version: str) -> None:
    state = asyncio.run(schema.read_state(site.config.database_url))
    try:
        refuse_if_too_old(state.compat, version)
    except TooOld as error:
        raise UpgradeError(str(error)) from error


def _notes(journal: Journal) -> list[str]:
    steps = [step for leg in journal.told.plan["legs"] for step in leg["steps"] if step["run"]]
    lasting = [step["id"] for step in steps if step["reversible"] == "restore" and _was_run(journal, step["id"])]
    if not lasting:
        return []
    return [f"What {', '.join(lasting)} did to the data stays; only the backup from before it is without it."]


def _was_run(journal: Journal, step_id: str) -> bool:
    return any(step == step_id and "note" not in entry for (_, step), entry in journal.told.done.items())
