"""What git keeps of a release's tag, and whether the right ones have signed it."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.ancestry import GitError, ask_git, honest_environment
from phiomia.upgrade.signers import RELEASES

_BEGIN = re.compile(r"^-----BEGIN (SSH|PGP) (?:SIGNATURE|MESSAGE)-----$|^-----BEGIN SIGNED MESSAGE-----$", re.MULTILINE)
_GOOD = re.compile(rf'^Good "git" signature for {re.escape(RELEASES)} with (\S+) key (\S+)$', re.MULTILINE)
_A_DAY = 86_400
# Other programs than these must not be asked, whatever the user's settings say.
_PROGRAMS = (
    ("gpg.format", "ssh"),
    ("gpg.ssh.program", "ssh-keygen"),
    ("gpg.program", "false"),
    ("gpg.openpgp.program", "false"),
    ("gpg.x509.program", "false"),
)


class NotTrusted(GitError):
    """A release whose tag is not what it should be; the message says why. `code` is for programs."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Tag(NamedTuple):
    """The tag of a release. `annotated` tags are objects of their own, which can be signed."""

    version: str
    id: str
    annotated: bool
    commit: str
    name: str = ""
    made_at: int = 0
    signed_with: str = ""


def read_tag(root: Path, version: str) -> Tag:
    """The tag v<version>. Raises NotTrusted when it is none of that release, GitError when it is not there."""
    tag_id = ask_git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/v{version}").strip()
    kind = ask_git(root, "cat-file", "-t", tag_id).strip()
    if kind == "commit":
        return Tag(version, tag_id, False, tag_id)
    tag = _parse(version, tag_id, ask_git(root, "cat-file", "tag", tag_id))
    if tag.name != f"v{version}":
        raise NotTrusted("tag", f"The tag v{version} calls itself {tag.name}: it was made for another release.")
    if has_branch(root, version):
        raise NotTrusted(
            "branch",
            f"There is a branch v{version} beside the tag, and `git checkout v{version}` would take the branch."
            f" Find out what it is, then rename it (git branch -m v{version} …).",
        )
    return tag


def has_branch(root: Path, version: str) -> bool:
    """Whether a branch here has the name of that release's tag."""
    return bool(ask_git(root, "for-each-ref", f"refs/heads/v{version}").strip())


def is_branch(root: Path, version: str) -> bool:
    """Whether what looks like the name of a release is that of a branch, here or where the checkout came from."""
    places = (f"refs/heads/v{version}", f"refs/remotes/*/v{version}")
    return bool(ask_git(root, "for-each-ref", *places).strip())


def find_branch(root: Path) -> str:
    """The branch that is checked out; empty when it is none."""
    return ask_git(root, "branch", "--show-current").strip()


def verify_tag(root: Path, tag: Tag, signers: str, not_before: int, now: int) -> str:
    """Which key has signed it. `signers` are lines for OpenSSH. Raises NotTrusted.

    A key counts when it was valid at the date of the tag, so that date must be believable: `not_before` is the date
    of something that the tag's release came after.
    """
    if not tag.annotated:
        raise NotTrusted(
            "lightweight",
            f"v{tag.version} is a lightweight tag, which nobody can sign: it is not from who makes releases.",
        )
    if not tag.signed_with:
        raise NotTrusted("unsigned", f"v{tag.version} is not signed, and the installed release asks for a signature.")
    if tag.signed_with != "SSH":
        raise NotTrusted("unsigned", f"v{tag.version} is signed in another way than with an SSH key.")
    if not not_before - _A_DAY <= tag.made_at <= now + _A_DAY:
        raise NotTrusted("date", f"The date of v{tag.version} is not possible: a key that is over may have signed it.")
    return _ask(root, tag, signers)


def _ask(root: Path, tag: Tag, signers: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="phiomia-signers-", encoding="utf-8") as file:
        file.write(signers)
        file.flush()
        settings = (*_PROGRAMS, ("gpg.ssh.allowedSignersFile", file.name))
        command = [word for name, value in settings for word in ("-c", f"{name}={value}")]
        done = subprocess.run(
            ["git", "-C", str(root), *command, "verify-tag", "--raw", tag.id],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=honest_environment(),
        )
    good = _GOOD.search(done.stderr)
    if done.returncode == 0 and good is not None:
        return f"{RELEASES}, {good[1]} {good[2]}"
    raise _explain(tag, done.stderr)


def _explain(tag: Tag, said: str) -> NotTrusted:
    name = f"v{tag.version}"
    if "key has expired" in said:
        return NotTrusted("expired", f"{name} is signed with a key that was not valid any more when it was signed.")
    if "key is not yet valid" in said:
        return NotTrusted("expired", f"{name} is signed with a key that was not valid yet when it was signed.")
    if 'Good "git" signature with' in said:
        key = said.partition('Good "git" signature with')[2].splitlines()[0].strip()
        return NotTrusted("key", f"{name} is signed by somebody else than who makes releases ({key}).")
    if "ssh-keygen" in said and ("No such file" in said or "cannot run" in said or "not find" in said):
        return NotTrusted("program", "ssh-keygen is missing, which checks signatures: `apt install openssh-client`.")
    return NotTrusted("signature", f"The signature of {name} does not fit: {said.strip()[-300:] or 'git says no more'}")


def _parse(version: str, tag_id: str, text: str) -> Tag:
    head, _, body = text.partition("\n\n")
    # The first of a name counts, as it does for git.
    fields = dict(line.split(" ", 1) for line in reversed(head.splitlines()) if " " in line)
    if fields.get("type") != "commit":
        raise NotTrusted("tag", f"The tag v{version} does not stand for a commit.")
    made_at = fields.get("tagger", "").rpartition(">")[2].split()
    signatures = [found[1] or "other" for found in _BEGIN.finditer(body)]
    return Tag(
        version,
        tag_id,
        True,
        fields["object"],
        fields.get("tag", ""),
        int(made_at[0]) if made_at else 0,
        # Git looks at the last one.
        signatures[-1] if signatures else "",
    )
