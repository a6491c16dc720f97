"""Who may sign: `releases/allowed_signers`, as OpenSSH reads it, with one name for releases and one for the feed.

It is read from the release that is installed, or from one that was verified, never from what is to be verified.
Standard library only.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE = "releases/allowed_signers"
RELEASES = "releases@phiomia"
FEED = "feed@phiomia"
# What a signature is for is part of it: a signed feed is no signed tag. Git's own name for tags is fixed.
NAMESPACES = {RELEASES: "git", FEED: "phiomia-feed"}

_NAMESPACES = re.compile(r'(?:^|,)namespaces="([^"]*)"')
_KEY_TYPES = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-", "sk-ecdsa-sha2-", "rsa-sha2-", "ssh-rsa")


class SignersError(ValueError):
    """The file can't be taken as it is."""


class Signer(NamedTuple):
    """One line: for which name, with which options, which key."""

    principal: str
    options: str
    key: str

    @property
    def line(self) -> str:
        """As OpenSSH reads it."""
        return " ".join(filter(None, (self.principal, self.options, self.key))) + "\n"


def read_signers_of(root: Path) -> str:
    """The file below a directory; empty when there is none."""
    path = root / FILE
    return path.read_text("utf-8") if path.is_file() else ""


def select_signers(text: str, principal: str) -> str:
    """The lines of one name, for OpenSSH; empty when nobody has it. Raises SignersError."""
    return "".join(one.line for one in read_signers(text) if one.principal == principal)


def read_signers(text: str) -> list[Signer]:
    """All lines. Raises SignersError, which names the line."""
    return list(_read_lines(text))


def _read_lines(text: str) -> Iterator[Signer]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            yield _read_line(words)
        except SignersError as error:
            raise SignersError(f"{FILE}:{number}: {error}") from None


def _read_line(words: list[str]) -> Signer:
    principal = words[0]
    if principal not in NAMESPACES:
        raise SignersError(f"{principal!r} may sign nothing here: {' and '.join(NAMESPACES)} may")
    options = "" if words[1:] and words[1].startswith(_KEY_TYPES) else " ".join(words[1:2])
    key = words[2:4] if options else words[1:3]
    found = _NAMESPACES.search(options)
    if found is None or found[1] != NAMESPACES[principal]:
        raise SignersError(f'{principal} needs namespaces="{NAMESPACES[principal]}"')
    if "cert-authority" in options:
        raise SignersError("keys are named one by one, not by who certifies them")
    if len(key) != 2 or not key[0].startswith(_KEY_TYPES):
        raise SignersError("there is no key")
    return Signer(principal, options, " ".join(key))
