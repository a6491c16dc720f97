"""Whether releases are from those who make them: each signed by whom the verified release before it names.

The first of these is what is installed. Where a release on the way names other signers, it is verified by the old ones
before the new ones count, however many releases are skipped. The commits in between need no signature of their own: a
signed tag stands for everything that led to it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.config import Config
from phiomia.upgrade.ancestry import Place, ask_git
from phiomia.upgrade.checkout import Checkout, open_checkout, source_root
from phiomia.upgrade.installed import Selected, find_installed
from phiomia.upgrade.places import Places
from phiomia.upgrade.signers import FILE, RELEASES, SignersError, read_signers_of, select_signers
from phiomia.upgrade.tags import NotTrusted, read_tag, verify_tag
from phiomia.upgrade.trust import TagMoved, Trust, check_pin, read_trust
from phiomia.upgrade.versions import version_order

OFF, REQUIRE = "off", "require"


class Anchor(NamedTuple):
    """What is trusted already: a release, whom it names, and its date."""

    place: Place
    signers: str
    date: int


class Verdict(NamedTuple):
    """What was found out: commits and keys of the releases asked for, what speaks against them, and what to mind."""

    commits: Mapping[str, str]
    signed: tuple[str, ...] = ()
    refusals: tuple[NotTrusted, ...] = ()
    notes: tuple[str, ...] = ()
    feed_signers: str = ""


class _Walk(NamedTuple):
    checkout: Checkout
    trust: Trust
    demand: str
    now: int


def assure(places: Places, config: Config, version: str) -> str:
    """The commit of a release that may be built. Raises NotTrusted, GitError."""
    checkout = open_checkout(places.checkout)
    verdict = examine(places, config, checkout, find_installed(places, checkout), [version])
    for refusal in verdict.refusals:
        raise refusal
    return verdict.commits[version]


def examine(
    places: Places, config: Config, checkout: Checkout, installed: Selected, versions: Sequence[str]
) -> Verdict:
    """Looks at the tags of releases, and of all on the way to them that name other signers. Raises GitError."""
    walk = _Walk(checkout, read_trust(places.state), config.upgrade.signatures, int(time.time()))
    try:
        anchor = _anchor(checkout, installed)
        return _examine(walk, anchor, versions)._replace(feed_signers=read_signers_of(_root_of(installed)))
    except SignersError as error:
        return Verdict({}, refusals=(NotTrusted("signers", f"Nobody can tell who may sign: {error}."),))


def _root_of(installed: Selected) -> Path:
    return installed.release.path if installed.release else source_root()


def _anchor(checkout: Checkout, installed: Selected) -> Anchor:
    # Whatever checkout an upgrade is made from, its own files are as little trusted as what it fetches.
    commit = installed.release.commit if installed.release else "HEAD"
    signers = select_signers(read_signers_of(_root_of(installed)), RELEASES)
    return Anchor(installed.place, signers, _date_of(checkout, commit))


def _examine(walk: _Walk, anchor: Anchor, versions: Sequence[str]) -> Verdict:
    notes = tuple(_mind(walk, anchor))
    if walk.demand == REQUIRE and not anchor.signers:
        reason = f"upgrade.signatures is require, but {anchor.place.name} names nobody who may sign releases ({FILE})."
        return Verdict({}, refusals=(NotTrusted("signers", reason),))
    verified: list[Anchor] = []
    commits: dict[str, str] = {}
    signed: dict[str, str] = {}
    refusals: list[NotTrusted] = []
    for version in _list_way(walk, anchor, versions):
        before = _find_before(walk, verified, version) or anchor
        names = _signers_at(walk.checkout, version)
        if version not in versions and names == before.signers:
            continue
        try:
            commits[version], key = _check(walk, version, anchor, before)
        except NotTrusted as error:
            refusals.append(error)
            continue
        if key:
            signed[version] = key
        verified.append(Anchor(walk.checkout.place_of(version), names, _date_of(walk.checkout, commits[version])))
    return Verdict(commits, tuple(f"v{version}: {key}" for version, key in signed.items()), tuple(refusals), notes)


def _mind(walk: _Walk, anchor: Anchor) -> Iterator[str]:
    if walk.demand == OFF:
        yield "Nobody looks at signatures: upgrade.signatures is off."
    elif not anchor.signers:
        yield f"Releases are not signed: {anchor.place.name} names nobody who may sign them."


def _list_way(walk: _Walk, anchor: Anchor, versions: Sequence[str]) -> list[str]:
    """The releases asked for and those that come before them, ancestors first."""
    contains = walk.checkout.history.contains
    found = {one for version in versions for one in contains[version] - anchor.place.contains} | set(versions)
    return sorted(found, key=lambda version: (len(contains[version]), version_order(version)))


def _find_before(walk: _Walk, verified: Sequence[Anchor], version: str) -> Anchor | None:
    """The nearest release before one that was verified on this way."""
    before = [one for one in verified if one.place.name in walk.checkout.history.contains[version]]
    return max(before, key=lambda one: len(one.place.contains), default=None)


def _check(walk: _Walk, version: str, anchor: Anchor, before: Anchor) -> tuple[str, str]:
    """The commit of a release and who has signed it. Raises NotTrusted."""
    if version in walk.checkout.moved:
        there = walk.checkout.moved[version][:12]
        raise NotTrusted(
            "tag",
            f"The tag v{version} is another one where this checkout came from ({there}) than here."
            " A release never changes: find out who moved it.",
        )
    tag = read_tag(walk.checkout.root, version)
    try:
        check_pin(walk.trust, version, tag.commit)
    except TagMoved as error:
        raise NotTrusted("tag", str(error)) from None
    # What is part of what is installed came with it.
    if walk.demand == OFF or not before.signers or version in anchor.place.contains:
        return tag.commit, ""
    return tag.commit, verify_tag(walk.checkout.root, tag, before.signers, before.date, walk.now)


def _signers_at(checkout: Checkout, version: str) -> str:
    tree = f"refs/tags/v{version}^{{commit}}"
    if not ask_git(checkout.root, "ls-tree", tree, "--", FILE).strip():
        return ""
    return select_signers(ask_git(checkout.root, "show", f"{tree}:{FILE}"), RELEASES)


def _date_of(checkout: Checkout, commit: str) -> int:
    return int(ask_git(checkout.root, "show", "--no-patch", "--format=%ct", commit))
