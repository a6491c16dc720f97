"""`phiomia upgrade`: what an upgrade would do, and doing it."""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from phiomia.cli.fail import fail
from phiomia.cli.group import Group
from phiomia.cli.options import AS_JSON, CHECKOUT
from phiomia.cli.releases import notes, plan_checkout
from phiomia.cli.upgrade_bundle import FROM_BUNDLE, bundle, take_in
from phiomia.cli.upgrade_news import check
from phiomia.cli.upgrade_report import render_history, render_report
from phiomia.cli.upgrade_site import open_site
from phiomia.cli.upgrade_text import render_outcome, render_standing
from phiomia.cli.upgrade_view import PLAIN, VIEW, choose_view
from phiomia.platform.config import load_config
from phiomia.upgrade import command
from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.by_hand import find_way, list_left, render_way
from phiomia.upgrade.command import NothingReleased, NotInstalled, Options
from phiomia.upgrade.history import NoSuchUpgrade, describe_journal, list_upgrades, report_json, report_upgrade
from phiomia.upgrade.journal import STOPPED, Journal, JournalError, open_journal
from phiomia.upgrade.lock import Locked
from phiomia.upgrade.manifest import ManifestError
from phiomia.upgrade.places import find_places
from phiomia.upgrade.plan import Plan, PlanError, Refused
from phiomia.upgrade.plan_text import plan_json, render_plan
from phiomia.upgrade.rollback import roll_back
from phiomia.upgrade.site import UpgradeError
from phiomia.upgrade.status import read_standing, standing_json

# What a stop that was asked for ends with: go on later (EX_TEMPFAIL).
STOPPED_STATUS = 75
_EXPECTED = (
    GitError,
    JournalError,
    Locked,
    ManifestError,
    NotInstalled,
    NothingReleased,
    PlanError,
    UpgradeError,
)


class Upgrades(Group):
    """`phiomia upgrade 1.6.0` means `phiomia upgrade run 1.6.0`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Finds out which command is meant."""
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "--debug")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = Upgrades(
    "upgrade",
    help="Upgrade the server: look at the plan, agree, watch. Alone or with a version it is `run`.",
)

PRERELEASE = click.option("--allow-prerelease", is_flag=True, help="Let it be a release that is not finished.")
TARGET = click.argument(
    "version", required=False, metavar="[VERSION]", help="To which release; the newest unless given."
)
BACKUP = click.option(
    "--backup",
    default="auto",
    show_default=True,
    type=click.Choice(["always", "auto", "never"]),
    help="auto: where only a backup could undo what is done.",
)
UNRELEASED = click.option("--allow-unreleased", is_flag=True, help="Go on from code that is no release.")
OFFLINE = click.option("--offline", is_flag=True, help="Use only what is here already: tags and libraries.")
CONTRACT_NOW = click.option(
    "--contract-now", is_flag=True, help="Also remove from the schema at once; then only the backup goes back."
)
ANNOUNCE = click.option(
    "--announce",
    default=5,
    show_default=True,
    type=click.IntRange(min=0),
    metavar="MINUTES",
    help="How long before they notice anything people are told of it; where nothing will be noticed nobody is.",
)
HASH = click.option("--plan", "wanted", default="", metavar="HASH", help="Only if the plan is still this one.")
PAST = click.argument("name", required=False, metavar="[ID]", help="Which upgrade: its id or how it begins, or `last`.")


app.add_command(notes)


@app.command("plan")
@TARGET
@AS_JSON
@PRERELEASE
@UNRELEASED
@BACKUP
@OFFLINE
@CHECKOUT
def show_plan(
    version: str | None,
    as_json: bool,
    allow_prerelease: bool,
    allow_unreleased: bool,
    backup: str,
    offline: bool,
    checkout: Path | None,
) -> None:
    """Print what an upgrade would do, without doing anything. Exit status 1 when it can't be done as things are."""
    if checkout is None and find_places().installed:
        options = Options(version, allow_prerelease, allow_unreleased, backup, offline)
        try:
            made = command.make_plan(open_site(), options).made
        except _EXPECTED as error:
            fail(str(error))
    else:
        made = plan_checkout(checkout, version, as_json=as_json, allow_prerelease=allow_prerelease, backup=backup)
    print(json.dumps(plan_json(made), indent=2) if as_json else render_plan(made), end="\n" if as_json else "")
    raise click.exceptions.Exit(1 if isinstance(made, Refused) else 0)


app.add_command(check)
app.add_command(bundle)


@app.command()
def instructions() -> None:
    """Print what has to be typed to get from what is installed to what is checked out, skipped releases included."""
    try:
        site = open_site()
        way = find_way(site)
        print(render_way(way, list_left(site) if way.target == way.installed else ()))
    except _EXPECTED as error:
        fail(str(error))
    raise click.exceptions.Exit(1 if way.refusal else 0)


@app.command("run")
@TARGET
@click.option("--yes", is_flag=True, help="Don't ask.")
@PRERELEASE
@UNRELEASED
@BACKUP
@OFFLINE
@CONTRACT_NOW
@ANNOUNCE
@FROM_BUNDLE
@AS_JSON
def run_upgrade(
    version: str | None,
    yes: bool,
    allow_prerelease: bool,
    allow_unreleased: bool,
    backup: str,
    offline: bool,
    contract_now: bool,
    announce: int,
    bundled: Path | None,
    as_json: bool,
) -> None:
    """Do all of it: plan, ask, back up, build, switch, and show how it goes. Ctrl-C stops after the current step."""
    options = take_in(bundled, Options(version, allow_prerelease, allow_unreleased, backup, offline, contract_now))
    try:
        planned = command.make_plan(open_site(), options)
    except _EXPECTED as error:
        fail(str(error))
    print(render_plan(planned.made), end="", file=sys.stderr if as_json else sys.stdout, flush=True)
    if isinstance(planned.made, Refused):
        raise click.exceptions.Exit(1)
    if planned.made.legs and not yes:
        if not sys.stdin.isatty():
            fail("Nobody can be asked here. Say --yes, or: phiomia upgrade apply --plan " + planned.hash[:16], 2)
        click.confirm("Go on?", abort=True)
    _apply(_fixed(options, planned.made), planned.hash, announce, as_json=as_json)


@app.command("apply")
@TARGET
@HASH
@PRERELEASE
@UNRELEASED
@BACKUP
@OFFLINE
@CONTRACT_NOW
@ANNOUNCE
@AS_JSON
def apply_plan(
    version: str | None,
    wanted: str,
    allow_prerelease: bool,
    allow_unreleased: bool,
    backup: str,
    offline: bool,
    contract_now: bool,
    announce: int,
    as_json: bool,
) -> None:
    """Execute a plan without asking; with --plan only the one that was looked at."""
    options = Options(version, allow_prerelease, allow_unreleased, backup, offline, contract_now)
    _apply(options, wanted, announce, as_json=as_json)


@app.command("resume")
@AS_JSON
def resume_upgrade(as_json: bool) -> None:
    """Go on with an upgrade that was broken off, or finish one that waits to remove from the schema."""
    try:
        journal = command.resume(open_site(), _view(as_json))
    except _EXPECTED as error:
        fail(str(error))
    _end(journal, as_json)


@app.command("continue", hidden=True)
@click.option("--journal", required=True, type=click.Path(path_type=Path), help="The journal of the upgrade.")
def continue_upgrade(journal: Path) -> None:
    """Go on as the new release; the release before calls this."""
    try:
        opened = open_journal(journal)
        command.continue_upgrade(open_site(), opened, choose_view())
    except _EXPECTED as error:
        fail(str(error))
    _end(opened, os.environ.get(_JSON) == "1")


@app.command("status")
@AS_JSON
def show_status(as_json: bool) -> None:
    """Say what runs and whether every instruction was executed. Exit status 1 when something is not as it should be."""
    try:
        standing = read_standing(find_places(), load_config())
    except _EXPECTED as error:
        fail(str(error))
    print(json.dumps(standing_json(standing), indent=2) if as_json else render_standing(standing))
    raise click.exceptions.Exit(1 if standing.problems else 0)


@app.command("rollback")
@AS_JSON
def roll_back_upgrade(as_json: bool) -> None:
    """Go back to the release before; the database stays as it is. Not after something was removed from the schema."""
    try:
        went = roll_back(open_site(), _view(as_json))
    except _EXPECTED as error:
        fail(str(error))
    if as_json:
        print(json.dumps({"to": went.to, "notes": went.notes, "upgrade": went.journal.id}, indent=2))
        return
    print("\n".join([f"{went.to} is the current release again.", *went.notes]))


@app.command("history")
@PAST
@AS_JSON
def show_history(name: str | None, as_json: bool) -> None:
    """List past upgrades, or show one in full: each step, and what was seen of the server from outside meanwhile."""
    places, url = find_places(), load_config().database_url
    if name is None:
        upgrades = list_upgrades(places, url)
        print(json.dumps([one._asdict() for one in upgrades], indent=2) if as_json else render_history(upgrades))
        return
    try:
        report = report_upgrade(places, url, name)
    except NoSuchUpgrade as error:
        fail(str(error))
    print(json.dumps(report_json(report), indent=2) if as_json else render_report(report))


_JSON = "PHIOMIA_UPGRADE_JSON"


def _apply(options: Options, wanted: str, announce: int, *, as_json: bool) -> None:
    site = open_site()
    try:
        report = _view(as_json)
        options = options._replace(announce=announce)
        journal = command.apply(site, options, wanted, report, lambda lock: command.finish_pending(site, lock))
    except _EXPECTED as error:
        fail(str(error))
    if journal is None:
        print("null" if as_json else "That release is installed: nothing to do.")
        return
    _end(journal, as_json)


def _fixed(options: Options, made: Plan) -> Options:
    # What is newest may change while somebody reads.
    return options._replace(version=made.target)


def _view(as_json: bool) -> Any:
    if as_json:
        os.environ[_JSON] = "1"
        os.environ[VIEW] = PLAIN
    return choose_view()


def _end(journal: Journal, as_json: bool) -> NoReturn:
    told = describe_journal(journal)
    print(json.dumps(told._asdict(), indent=2) if as_json else render_outcome(journal, told))
    raise click.exceptions.Exit(STOPPED_STATUS if told.state == STOPPED else 0)
