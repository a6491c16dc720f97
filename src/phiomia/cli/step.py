"""`phiomia step`: executes one instruction by hand, with the same code and the same ledger as an upgrade."""

import json

import click

from phiomia.cli.fail import fail
from phiomia.cli.options import AS_JSON
from phiomia.cli.upgrade_site import open_site
from phiomia.upgrade import ledger
from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.assurance import assure
from phiomia.upgrade.become import become
from phiomia.upgrade.build import Release, build_release
from phiomia.upgrade.checkout import Checkout, open_checkout, source_root
from phiomia.upgrade.facts import gather_facts
from phiomia.upgrade.installed import find_installed, running_release
from phiomia.upgrade.lock import Locked, hold_database, hold_lock
from phiomia.upgrade.manifest import PHASES, ManifestError
from phiomia.upgrade.own_steps import OWN
from phiomia.upgrade.places import Places
from phiomia.upgrade.plan import PlanError, PlannedStep, list_missing
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.run_building import BuildError
from phiomia.upgrade.site import Site, UpgradeError
from phiomia.upgrade.status import find_beginning
from phiomia.upgrade.steps import StepError, run_step
from phiomia.upgrade.switch import read_links

_EXPECTED = (BuildError, GitError, Locked, ManifestError, PlanError, StepError, UpgradeError)


@click.command()
@click.argument("step_id", required=False, metavar="[ID]", help="Which instruction, such as fill-in@1.")
@click.option("--list", "list_them", is_flag=True, help="List those that are missing instead.")
@AS_JSON
def step(step_id: str | None, list_them: bool, as_json: bool) -> None:
    """Execute one instruction of the checked out release, or list those that this server has not had yet.

    What every upgrade does can be done by hand too: backup, migrate-expand, migrate-contract, cleanup.
    """
    if list_them == bool(step_id):
        fail("Say which one: phiomia step ID. `phiomia step --list` shows what is missing.", 2)
    try:
        site = _open()
        checkout = open_checkout(site.places.checkout)
        if step_id is not None and step_id in OWN:
            _execute_own(site, checkout, step_id)
            return
        missing = _list_missing(site, checkout)
        if step_id is None:
            _show(missing, as_json)
            return
        _execute(site, checkout, missing, step_id if "@" in step_id else _complete(step_id, missing))
    except _EXPECTED as error:
        fail(str(error))


def _open() -> Site:
    site = open_site()
    if site.places.installed or (site.places.checkout / ".git").exists():
        return site
    # Without the installed layout the code that runs is the checkout.
    return site._replace(places=Places(source_root(), site.places.app))


def _execute(site: Site, checkout: Checkout, missing: list[PlannedStep], step_id: str) -> None:
    wanted = next((one for one in missing if one.id == step_id), None)
    if wanted is None:
        known = step_id in ledger.done(site.config.database_url)
        fail(f"{step_id} was executed before." if known else f"{step_id} is no instruction that this server needs.")
    with hold_lock(site.places.state) as lock:
        release = _selected(site, checkout)
        if release is not None and running_release() != release.path:
            # The code of an instruction is that of the release which asks for it.
            become(release, ["step", step_id], lock, site.places)
        _check_turn(site, wanted, release)
        url = site.config.database_url
        ledger.begin(url, find_installed(site.places, checkout).place.name)
        seconds = run_step(
            wanted.id,
            wanted.run,
            wanted.releases[-1],
            config=site.config,
            open_database=site.open_database,
            report=PlainReport(),
            how=ledger.BY_HAND,
        )
    print(f"{wanted.id}: done in {seconds:.1f} s")


def _check_turn(site: Site, step: PlannedStep, release: Release | None) -> None:
    """Refuses what comes after the restart before there was one."""
    later = PHASES.index(step.phase) >= PHASES.index("workers")
    if later and release is not None and read_links(site.places).current != release.path:
        raise StepError(f"{step.id} comes after the restart: {release.version} is not the current release yet.")


def _execute_own(site: Site, checkout: Checkout, step_id: str) -> None:
    with hold_lock(site.places.state) as lock:
        release = _selected(site, checkout)
        if release is not None and running_release() != release.path:
            become(release, ["step", step_id], lock, site.places)
        with hold_database(site.config.database_url):
            said = OWN[step_id](site, PlainReport())
            ledger.begin(site.config.database_url, find_installed(site.places, checkout).place.name)
    print(f"{step_id}: {said}")


def _selected(site: Site, checkout: Checkout) -> Release | None:
    """The release that is checked out, built if it is not; None where nothing is installed."""
    version = checkout.history.here.name
    if not site.places.installed or version not in checkout.history.contains:
        return None
    return build_release(site.places, version, assure(site.places, site.config, version), PlainReport())


def _list_missing(site: Site, checkout: Checkout) -> list[PlannedStep]:
    target = checkout.history.here.name
    if target not in checkout.history.contains:
        raise GitError(f"{target} is checked out, which is no release: only releases have instructions.")
    base = find_beginning(site.places, site.config, checkout)
    known = gather_facts(site.config, site.places, own_lock=True)
    return list_missing(base, target, checkout.releases_of(target), known.ledger, known.facts)


def _complete(name: str, missing: list[PlannedStep]) -> str:
    return next((one.id for one in missing if one.id.partition("@")[0] == name), name)


def _show(missing: list[PlannedStep], as_json: bool) -> None:
    if as_json:
        print(json.dumps([one._asdict() for one in missing], indent=2))
        return
    for one in missing:
        print(f"{one.id:<40} {one.phase:<9} {one.title} [{', '.join(one.releases)}]")
    if not missing:
        print("Nothing is missing.")
