"""The feed: a small static file that says which release of each branch is the newest, and for how long that holds.

It is signed and ends after two weeks, so that whoever stands between can neither invent a release nor hide one for
long. `script/feed` makes it from a checkout's tags and manifests, and looks at it as servers will.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phiomia.upgrade.ancestry import GitError, find_release
from phiomia.upgrade.checkout import open_checkout
from phiomia.upgrade.manifest import Manifest, ManifestError
from phiomia.upgrade.signers import FEED, NAMESPACES, SignersError, read_signers_of, select_signers
from phiomia.upgrade.versions import is_prerelease, version_order

FORMAT = 1
DAYS = 14
# Enough for somebody to come back from a weekend.
SOON_DAYS = 5
_MOST_BRANCHES = 200
_A_DAY = 86_400


class FeedRefused(Exception):
    """What came is no feed of ours, or not signed by who makes it; the message says why."""


class Entry(NamedTuple):
    """A release and its date, as YYYY-MM-DD."""

    version: str
    date: str


class Branch(NamedTuple):
    """A line such as 1.4: its newest release with its commit, and the newest ones that were urgent."""

    name: str
    latest: Entry
    commit: str
    recommended: Entry | None = None
    security: Entry | None = None


class Feed(NamedTuple):
    """What was said, and from when until when it holds (seconds since 1970)."""

    issued: int
    expires: int
    branches: tuple[Branch, ...]
    signed: bool = False


def make_feed(root: Path, now: int, days: int = DAYS) -> str:
    """The feed of a checkout's finished releases. Raises GitError, ManifestError."""
    found: dict[str, list[Manifest]] = {}
    for version, manifest in open_checkout(root).manifests().items():
        if not is_prerelease(version):
            found.setdefault(version.rpartition(".")[0], []).append(manifest)
    branches = [_describe(root, name, manifests) for name, manifests in sorted(found.items())]
    told = {"format": FORMAT, "issued": now, "expires": now + days * _A_DAY, "branches": branches}
    return json.dumps(told, indent=1)


def seal(text: str, key: str) -> str:
    """The feed with its signature, as it is published. Raises FeedRefused."""
    if not key:
        return json.dumps({"feed": text, "signature": ""}, indent=1)
    sign = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACES[FEED], "-f", key]
    # No path: it signs what comes in and prints the signature.
    done = subprocess.run(sign, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise FeedRefused(f"ssh-keygen could not sign: {done.stderr.strip()}")
    return json.dumps({"feed": text, "signature": done.stdout}, indent=1)


def open_feed(published: str, signers: str, *, demanded: bool = False) -> Feed:
    """What a published feed says. `signers` is the text of the file of signers. Raises FeedRefused."""
    try:
        envelope = json.loads(published)
        text, signature = envelope["feed"], envelope["signature"]
        if not isinstance(text, str) or not isinstance(signature, str):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise FeedRefused("What came is no feed of releases.") from None
    try:
        lines = select_signers(signers, FEED)
    except SignersError as error:
        raise FeedRefused(f"Nobody can tell who may sign: {error}.") from None
    if lines:
        _verify(text, signature, lines)
    elif demanded:
        raise FeedRefused("upgrade.signatures is require, but this release names nobody who may sign the feed.")
    return _read(text)._replace(signed=bool(lines))


def is_stale(feed: Feed, now: float) -> bool:
    """Whether it has not been renewed in time."""
    return now > feed.expires


def _verify(text: str, signature: str, lines: str) -> None:
    if not signature:
        raise FeedRefused("The feed is not signed.")
    with tempfile.TemporaryDirectory(prefix="phiomia-feed-") as folder:
        signers, signed = Path(folder, "signers"), Path(folder, "signature")
        signers.write_text(lines, "utf-8")
        signed.write_text(signature, "utf-8")
        command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", FEED, "-n", NAMESPACES[FEED]]
        try:
            done = subprocess.run([*command, "-s", str(signed)], input=text, capture_output=True, text=True)
        except FileNotFoundError:
            raise FeedRefused("ssh-keygen is missing, which checks signatures.") from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise FeedRefused(f"The feed is not signed by who makes it: {said[-200:]}")


def _describe(root: Path, name: str, manifests: list[Manifest]) -> dict[str, Any]:
    manifests = sorted(manifests, key=lambda one: version_order(one.version))
    latest = manifests[-1]
    return {
        "name": name,
        "latest": _entry(latest),
        "commit": find_release(root, latest.version),
        **{
            urgency: _entry(urgent[-1])
            for urgency in ("recommended", "security")
            if (urgent := [one for one in manifests if one.urgency == urgency])
        },
    }


def _entry(manifest: Manifest) -> dict[str, str]:
    return {"version": manifest.version, "date": manifest.date.isoformat()}


def _read(text: str) -> Feed:
    try:
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise FeedRefused(f"The feed has the format {told['format']}, which this release does not know.")
        branches = tuple(_read_branch(one) for one in told["branches"][:_MOST_BRANCHES])
        return Feed(int(told["issued"]), int(told["expires"]), branches)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FeedRefused("What came is no feed of releases.") from None


def _read_branch(told: Mapping[str, Any]) -> Branch:
    return Branch(
        str(told["name"]),
        _read_entry(told["latest"]),
        str(told["commit"]),
        _read_entry(told["recommended"]) if "recommended" in told else None,
        _read_entry(told["security"]) if "security" in told else None,
    )


def _read_entry(told: Mapping[str, Any]) -> Entry:
    version_order(told["version"])
    return Entry(told["version"], datetime.date.fromisoformat(told["date"]).isoformat())


def check_feed(root: Path, published: str, now: int) -> Feed:
    """What a published feed says, when servers will believe it for a while and no release is missing.

    Raises FeedRefused, GitError, ManifestError, SignersError.
    """
    feed = open_feed(published, read_signers_of(root))
    if is_stale(feed, now + SOON_DAYS * _A_DAY):
        until = datetime.datetime.fromtimestamp(feed.expires, datetime.UTC)
        raise FeedRefused(f"It holds until {until:%Y-%m-%d %H:%M} only: renew it.")
    if feed.branches != _read(make_feed(root, now)).branches:
        raise FeedRefused("It does not tell of the releases of this checkout: make it again, or git fetch --tags.")
    return feed


def publish_feed(root: Path, output: Path, key: str, now: int, days: int) -> None:
    """Writes the feed; nobody finds half of it. Raises FeedRefused, GitError, ManifestError, SignersError."""
    signers = read_signers_of(root)
    if select_signers(signers, FEED) and not key:
        raise FeedRefused("Servers will refuse it unless it is signed: --key KEY.")
    published = seal(make_feed(root, now, days), key)
    open_feed(published, signers)
    temporary = output.with_name(f".{output.name}.new")
    temporary.write_text(published, "utf-8")
    # Servers ask whether it is newer than what they have, by the date inside.
    os.utime(temporary, (now, now))
    os.replace(temporary, output)


def main(arguments: Sequence[str], root: Path) -> int:
    """Does what the arguments say; gives the exit status."""
    parser = argparse.ArgumentParser(prog="script/feed", description="Makes the feed of releases, or renews it.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--output", type=Path, help="the file to publish")
    what.add_argument("--check", type=Path, help="a published file: fails when it is wrong or has to be renewed")
    parser.add_argument("--key", default="", help="the SSH key that signs it")
    parser.add_argument("--days", type=int, default=DAYS, help="for how long it holds")
    options = parser.parse_args(arguments)
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    try:
        if options.check:
            feed = check_feed(root, options.check.read_text("utf-8"), now)
            # Cron sends a mail of everything that is said.
            if sys.stdout.isatty():
                print(f"good for another {(feed.expires - now) // _A_DAY} days")
        else:
            publish_feed(root, options.output, options.key, now, options.days)
            if sys.stdout.isatty():
                print(f"wrote {options.output}; renew it within {options.days} days")
    except (OSError, GitError, ManifestError, SignersError, FeedRefused) as error:
        print(f"feed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
