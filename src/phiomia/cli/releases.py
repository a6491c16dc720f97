"""`phiomia releases` and what else a checkout alone can tell: what has changed, and what a plan would be."""

import json
import os
from pathlib import Path

import click

from phiomia.cli.fail import fail
from phiomia.cli.options import AS_JSON, CHECKOUT
from phiomia.platform.config import load_config
from phiomia.platform.version import describe_version
from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.checkout import Checkout, open_checkout, source_root
from phiomia.upgrade.facts import gather_facts
from phiomia.upgrade.manifest import ManifestError
from phiomia.upgrade.notes import merge_notes
from phiomia.upgrade.places import find_places
from phiomia.upgrade.plan import Plan, PlanError, Refused, plan

RANGE = click.argument("between", metavar="A..B", help="Two releases; an empty A is what is checked out.")

_NONE = "Nothing is released yet."


@click.command()
@AS_JSON
@CHECKOUT
def releases(as_json: bool, checkout: Path | None) -> None:
    """List the releases that this checkout knows, the newest first."""
    found = _open(checkout)
    try:
        manifests = found.manifests()
    except (GitError, ManifestError) as error:
        fail(str(error))
    listed = [manifests[version] for version in reversed(found.versions)]
    if as_json:
        rows = [
            {
                "version": one.version,
                "date": one.date.isoformat(),
                "channel": one.channel,
                "urgency": one.urgency,
                "stop": one.stop,
                "contained": one.version in found.history.here.contains,
            }
            for one in listed
        ]
        print(json.dumps({"checkout": found.history.here.name, "releases": rows}, indent=2))
        return
    for one in listed:
        here = "  checked out" if one.version == found.history.here.name else ""
        print(f"{one.version:<14} {one.date}  {one.channel:<8} {one.urgency}{here}")
    if not listed:
        print(f"{_NONE} This is {describe_version()}, commit {found.history.here.name.partition('+')[0]}.")


@click.command()
@RANGE
@CHECKOUT
def notes(between: str, checkout: Path | None) -> None:
    """Print what has changed between two releases, in one piece."""
    found = _open(checkout)
    start, dots, end = between.partition("..")
    if not dots:
        fail("Say from where to where: phiomia upgrade notes 1.4.0..1.6.0", 2)
    target = end or found.newest()
    if not found.versions or target is None:
        fail(_NONE)
    try:
        place = found.place_of(start) if start else found.history.here
        print(merge_notes(place, target, found.releases_of(target)), end="")
    except (GitError, ManifestError) as error:
        fail(str(error))


def plan_checkout(
    checkout: Path | None, version: str | None, *, as_json: bool, allow_prerelease: bool, backup: str
) -> Plan | Refused:
    """The plan of a checkout that nothing is installed from."""
    found = _open(checkout)
    target = version or found.newest(prereleases=allow_prerelease)
    if target is None or not found.versions:
        if as_json:
            reason = {"code": "unreleased", "reason": _NONE}
            print(json.dumps({"installed": found.history.here.name, "target": version, "refusals": [reason]}, indent=2))
        else:
            print(f"{_NONE} There is no release to go to from {describe_version()}.")
        raise click.exceptions.Exit(1 if version else 0)
    try:
        known = gather_facts(load_config(), find_places())
        return plan(
            found.history.here,
            target,
            found.releases_of(target),
            known.ledger,
            known.facts,
            allow_prerelease=allow_prerelease,
            backup=backup,
        )
    except (GitError, ManifestError, PlanError) as error:
        fail(str(error))


def _open(checkout: Path | None) -> Checkout:
    places = find_places()
    root = checkout or (places.checkout if places.installed else source_root())
    if checkout is None and not (root / ".git").exists():
        root = Path(os.curdir).resolve()
    try:
        return open_checkout(root)
    except GitError as error:
        fail(f"There is no checkout to read releases from ({error}). Go into one, or name it with --checkout.")
