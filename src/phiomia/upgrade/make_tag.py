"""Makes the tag of a release: annotated, and signed when there is a key; then looks at it as servers will."""

import re
import subprocess
import time
from pathlib import Path

from phiomia.upgrade.ancestry import GitError, ask_git, read_history
from phiomia.upgrade.manifest import read_manifest
from phiomia.upgrade.render import render_release
from phiomia.upgrade.signers import FILE, RELEASES, read_signers_of, select_signers
from phiomia.upgrade.tags import NotTrusted, read_tag, verify_tag
from phiomia.upgrade.versions import version_order


def make_tag(root: Path, version: str, key: str = "") -> str:
    """Tags the commit that is checked out, with the release's page as the message; gives who has signed it.

    The key is a file, or what git's settings say. Raises GitError, ManifestError, SignersError.
    """
    path = f"releases/{version}.toml"
    ask_git(root, "cat-file", "-e", f"HEAD:{path}")
    manifest = read_manifest((root / path).read_text("utf-8"), f"{version}.toml")
    if ask_git(root, "status", "--porcelain", "--untracked-files=no").strip():
        raise GitError("there are changes that are not committed")
    _check_version(root, version)
    signers = _find_signers(root)
    key = key or _configured_key(root)
    if signers and not key:
        raise GitError(f"servers will refuse v{version} unless it is signed: --sign KEY, or git config user.signingkey")
    how = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}") if key else ()
    kind = "--sign" if key else "--annotate"
    message = render_release(manifest)
    _run(root, *how, "tag", kind, f"v{version}", "--cleanup=verbatim", "--message", message)
    return _look(root, version, signers) if signers else ""


def _check_version(root: Path, version: str) -> None:
    """A release directory has no tags around it: its code only knows what stands there."""
    path = root / "src" / "phiomia" / "__init__.py"
    told = re.search(r'^__version__ = "(.*)"$', path.read_text("utf-8"), re.MULTILINE) if path.exists() else None
    if told and told[1] != version:
        raise GitError(
            f"its code calls itself {told[1]}: set the version in pyproject.toml and src/phiomia/__init__.py,"
            " `uv lock`, and commit"
        )


def _find_signers(root: Path) -> str:
    """Who may sign this release: whom the release before it names; before anybody was named, whom it names itself."""
    own = select_signers(read_signers_of(root), RELEASES)
    contained = read_history(root).here.contains
    if not contained:
        return own
    before = f"refs/tags/v{max(contained, key=version_order)}^{{commit}}"
    if not ask_git(root, "ls-tree", before, "--", FILE).strip():
        return own
    return select_signers(ask_git(root, "show", f"{before}:{FILE}"), RELEASES) or own


def _configured_key(root: Path) -> str:
    def ask(name: str) -> str:
        done = subprocess.run(["git", "-C", str(root), "config", "--get", name], capture_output=True, text=True)
        return done.stdout.strip()

    return ask("user.signingkey") if ask("gpg.format") == "ssh" else ""


def _look(root: Path, version: str, signers: str) -> str:
    now = int(time.time())
    try:
        return verify_tag(root, read_tag(root, version), signers, 0, now)
    except NotTrusted as error:
        ask_git(root, "tag", "--delete", f"v{version}")
        raise GitError(f"servers would refuse it, so it is not made: {error}") from None


def _run(root: Path, *arguments: str) -> None:
    # The key may ask for its passphrase, so this has the terminal.
    done = subprocess.run(["git", "-C", str(root), *arguments], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise GitError(done.stderr.strip() or "git tag failed")
