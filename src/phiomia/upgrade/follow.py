"""Lets the checkout show the release that an upgrade has just made the current one.

It selects what units run. Left behind, it would be a wish for the release before as soon as anything touches it.
"""

from phiomia.upgrade.ancestry import GitError, ask_git, find_commit, find_release
from phiomia.upgrade.places import Places


def follow(places: Places, before: str, release: str) -> str:
    """Checks the release out where the one before was; gives why the checkout stays, nothing when it shows it now."""
    checkout = places.checkout
    try:
        here = find_commit(checkout, "HEAD")
        if here == find_release(checkout, release):
            return ""
        if here != find_release(checkout, before):
            return f"{checkout} stays at {here[:12]}: it did not stand at {before}"
        if ask_git(checkout, "status", "--porcelain", "--untracked-files=no").strip():
            return f"{checkout} stays at {before}: files were changed in it"
        # The hook tells what there is to do, and that is done.
        quietly = ("-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach")
        ask_git(checkout, *quietly, f"refs/tags/v{release}")
    except GitError as error:
        return f"{checkout} stays where it is: {error}"
    return ""
