"""What is installed, what the checkout selects, and which release the code that reads this belongs to."""

import sys
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.ancestry import GitError, Place, find_place
from phiomia.upgrade.build import Release, read_release
from phiomia.upgrade.checkout import Checkout
from phiomia.upgrade.places import Places


class Selected(NamedTuple):
    """What a command starts from: where the server stands, and the directory of its release when there is one."""

    place: Place
    release: Release | None


def find_installed(places: Places, checkout: Checkout) -> Selected:
    """What `current` points to; without the installed layout, what is checked out. Raises GitError."""
    release = read_release(places.current)
    if release is None:
        return Selected(checkout.history.here, None)
    try:
        return Selected(find_place(checkout.root, release.commit), release)
    except GitError:
        raise GitError(
            f"{places.checkout} does not know the commit {release.commit[:12]} of what is installed, {release.version}:"
            " fetch it (git fetch --tags), or name the right checkout (PHIOMIA_CHECKOUT)."
        ) from None


def running_release() -> Path | None:
    """The release directory that this process runs from; None when it runs from a checkout."""
    path = Path(sys.prefix).parent
    return path.resolve() if read_release(path) else None
