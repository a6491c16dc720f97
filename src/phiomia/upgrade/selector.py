"""Which release a unit runs: what the checkout selects, if that may start; else the one that runs already.

`git checkout` touches nothing that runs. Whoever moved last counts, the checkout or an upgrade: a checkout that is
older than the link `current` has been taken up, or overruled, already. So a start that has nothing to decide asks git
for nothing.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from phiomia.platform.locks import wait_for_lock
from phiomia.upgrade.ancestry import GitError, find_commit
from phiomia.upgrade.build import Release, build_release, read_release
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import Report
from phiomia.upgrade.run_building import BuildError
from phiomia.upgrade.selected import is_moved, note_selection
from phiomia.upgrade.switch import Pointed, point, read_links, restore_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phiomia.upgrade.by_hand import Way
    from phiomia.upgrade.site import Site

_TRIAL = "trial-{}"


class Selection(NamedTuple):
    """The release to run; `reason` says why it is not the one that is checked out, `before` what the links were."""

    release: Release
    reason: str = ""
    before: Pointed | None = None


class NotSelected(Exception):
    """What is checked out can't be taken up; the message says why and what to do."""


class NoRelease(Exception):
    """Nothing is installed."""


def select_release(places: Places, open_site: "Callable[[], Site]", report: Report) -> Selection:
    """The release that is to run, made `current`. Raises NoRelease."""
    current = read_release(places.current)
    if current is None:
        raise NoRelease(f"There is no release at {places.current}: `phiomia install` puts one there.")
    if not is_moved(places):
        return Selection(current)
    with _one_at_a_time(places):
        return _select(places, open_site, report)


def undo(places: Places, selection: Selection, reason: str) -> None:
    """Points the links where they were before a selection that came to nothing."""
    if selection.before is not None:
        restore_links(places, selection.before)
    note_selection(places, selection.release.version, reason)


def begin_trial(places: Places, role: str, selection: Selection) -> None:
    """Remembers that a role is about to start with a release that has never served."""
    if selection.before is not None and selection.before.current is not None:
        path = places.state / _TRIAL.format(role)
        path.write_text(
            json.dumps({"release": str(selection.release.path), "before": str(selection.before.current)}), "utf-8"
        )


def end_trial(places: Places, role: str) -> None:
    """Remembers that it serves."""
    (places.state / _TRIAL.format(role)).unlink(missing_ok=True)


def take_back_failed(places: Places, role: str) -> str:
    """Goes back to the release before when the last start of this role with a new one failed; says so."""
    path = places.state / _TRIAL.format(role)
    if not path.exists():
        return ""
    tried = json.loads(path.read_text("utf-8"))
    path.unlink()
    before = Path(tried["before"])
    links = read_links(places)
    if links.current != Path(tried["release"]) or read_release(before) is None:
        return ""
    restore_links(places, Pointed(before, links.current))
    name = Path(tried["release"]).name
    reason = (
        f"{name} did not start as {role}, as its log says, so {before.name} serves. To try again, check it out again"
    )
    note_selection(places, name, reason)
    return reason


def _select(places: Places, open_site: "Callable[[], Site]", report: Report) -> Selection:
    current = read_release(places.current)
    assert current is not None
    if not is_moved(places):
        # Another unit has just decided.
        return Selection(current)
    try:
        commit = find_commit(places.checkout, "HEAD")
        selection = Selection(current) if commit == current.commit else _take_up(open_site(), commit, report)
    except (NotSelected, GitError, BuildError) as error:
        selection = Selection(current, str(error))
    note_selection(places, selection.release.version, selection.reason)
    return selection


def _take_up(site: "Site", commit: str, report: Report) -> Selection:
    # Most starts end before this; what follows loads half of the server.
    from phiomia.upgrade import ledger
    from phiomia.upgrade.by_hand import find_way
    from phiomia.upgrade.lock import Locked, hold_lock
    from phiomia.upgrade.manifest import ManifestError
    from phiomia.upgrade.plan import PlanError
    from phiomia.upgrade.trust import TagMoved, pin, see

    try:
        before = read_links(site.places)
        way = find_way(site)
        _refuse(way)
        with hold_lock(site.places.state):
            if read_links(site.places) != before:
                raise NotSelected("An upgrade has just made another release the current one")
            pin(site.places.state, way.target, commit)
            release = _obtain(site, way, commit, report)
            ledger.begin(site.config.database_url, way.installed)
            point(site.places, release.path)
            if not way.back:
                see(site.places.state, way.target)
            return Selection(release, before=before)
    except (Locked, ManifestError, PlanError, TagMoved) as error:
        raise NotSelected(str(error)) from error


def _refuse(way: "Way") -> None:
    if way.refusal:
        raise NotSelected(f"{way.target} is checked out, but can't be taken up: {way.refusal}")
    if way.required:
        steps = ", ".join(one.command for one in way.required)
        raise NotSelected(f"{way.target} is checked out, but needs first: {steps}")


def _obtain(site: "Site", way: "Way", commit: str, report: Report) -> Release:
    if not way.back:
        return build_release(site.places, way.target, commit, report)
    import asyncio

    from phiomia.upgrade import schema
    from phiomia.upgrade.compat import TooOld, refuse_if_too_old

    try:
        refuse_if_too_old(asyncio.run(schema.read_state(site.config.database_url)).compat, way.target)
    except TooOld as error:
        raise NotSelected(str(error)) from error
    return build_release(site.places, way.target, commit, report)


@contextmanager
def _one_at_a_time(places: Places) -> "Iterator[None]":
    # Units start together after a boot; what one decides holds for all.
    lock = wait_for_lock(str(places.state / "select.lock"))
    try:
        yield
    finally:
        os.close(lock)
