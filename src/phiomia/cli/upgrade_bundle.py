"""`phiomia upgrade bundle` and what `--from` takes in: upgrades of machines without a network."""

from pathlib import Path

import click

from phiomia.cli.fail import fail
from phiomia.cli.options import CHECKOUT
from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.bundle import BundleError, make_bundle
from phiomia.upgrade.checkout import source_root
from phiomia.upgrade.command import Options
from phiomia.upgrade.lock import Locked, hold_lock
from phiomia.upgrade.manifest import ManifestError
from phiomia.upgrade.places import find_places
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.take_bundle import take_bundle

FROM_BUNDLE = click.option(
    "--from",
    "bundled",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take all that is needed from a bundle; ask no network.",
)


@click.command()
@click.argument("version", metavar="VERSION", help="To which release it leads.")
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where to write it.")
@click.option("--since", default="", metavar="VERSION", help="For servers that have this release or a later one.")
@CHECKOUT
def bundle(version: str, output: Path, since: str, checkout: Path | None) -> None:
    """Write all that a server without a network needs to come to a release. Make it on a machine of the same kind."""
    places = find_places()
    root = checkout or (places.checkout if places.installed else source_root())
    try:
        made = make_bundle(root, version, output, PlainReport(), since=since)
    except (BundleError, GitError, ManifestError, OSError) as error:
        fail(str(error))
    print(f"{made.path}: {made.size / 1024**2:,.1f} MB, to {made.version} from {made.since or 'any release before'}")
    print(f"On the server: phiomia upgrade --from {made.path.name}")


def take_in(path: Path | None, options: Options) -> Options:
    """What an upgrade out of a bundle is wanted like; as it was without one."""
    if path is None:
        return options
    places = find_places()
    try:
        with hold_lock(places.state):
            version = take_bundle(places, path, PlainReport())
    except (BundleError, GitError, Locked) as error:
        fail(str(error))
    return options._replace(version=options.version or version, offline=True)
