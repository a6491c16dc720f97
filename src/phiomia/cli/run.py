"""`phiomia run`: what units start. Takes up the release that is checked out if it may, then becomes the role."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from phiomia.upgrade.site import Site
from phiomia.upgrade.places import Places, find_places
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.selector import (
    NoRelease,
    Selection,
    begin_trial,
    end_trial,
    select_release,
    take_back_failed,
    undo,
)
from phiomia.upgrade.switch import runs_only

ROLES = ("web", "worker", "streaming")
_NAMES = {"web": "web", "worker": "workers", "streaming": "streaming"}
_RELOAD_S = 600.0


@click.command()
@click.argument("role", metavar="ROLE", help="web, worker or streaming.")
@click.option("--reload", is_flag=True, help="Let the running role take the release up.")
@click.option("--started", is_flag=True, help="Note that the role serves.")
def run(role: str, reload: bool, started: bool) -> None:
    """Run a role of the release that is checked out, or of the one before with the reason why. For units."""
    if role not in ROLES:
        raise click.BadParameter("a role is web, worker or streaming.")
    places = find_places()
    if started:
        end_trial(places, role)
    elif reload:
        reload_role(places, role)
    else:
        start_role(places, role)


def start_role(places: Places, role: str) -> NoReturn:
    """Becomes the role."""
    failed = take_back_failed(places, role)
    if failed:
        _say(failed)
    selection = _select(places)
    if selection.reason:
        _say(f"{_end(selection.reason)} Starting {selection.release.version} instead.")
    begin_trial(places, role, selection)
    python = str(selection.release.python)
    os.execve(python, [python, "-P", "-m", "phiomia", role], dict(os.environ))  # noqa: S606


def reload_role(places: Places, role: str) -> None:
    """Lets the running role take the release up; ends with status 1 when it does not."""
    from phiomia.platform import control
    from phiomia.platform.config import load_config

    selection = _select(places)
    if selection.reason:
        _fail(f"{_end(selection.reason)} {selection.release.version} goes on.")
    run_dir = load_config().data_dir / "run"
    outcome = control.reload(run_dir, [role], _RELOAD_S)
    if not outcome.ok:
        reason = f"{selection.release.version} does not serve as {role}: {outcome.reason}"
        undo(places, selection, reason)
        _fail(reason)
    if not runs_only(run_dir, _NAMES[role], selection.release.path):
        _fail(f"{role} serves, but not with {selection.release.version}: it was started from elsewhere.")


def _select(places: Places) -> Selection:
    try:
        return select_release(places, _open_site(places), PlainReport())
    except NoRelease as error:
        _fail(str(error))


def _open_site(places: Places) -> "Callable[[], Site]":
    def open_it() -> "Site":
        from phiomia.cli.upgrade_site import open_site

        return open_site(places)

    return open_it


def _end(sentence: str) -> str:
    return f"{sentence.rstrip('.')}."


def _say(text: str) -> None:
    print(f"phiomia: {text}", file=sys.stderr, flush=True)


def _fail(reason: str) -> NoReturn:
    _say(reason)
    raise click.exceptions.Exit(1)
