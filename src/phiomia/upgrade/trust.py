"""What upgrades remember of releases: the highest one this server has seen, and which commit each tag stood for.

A tag that moves, or a server that is talked into an older release, is noticed. Standard library only.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

from phiomia.upgrade.versions import version_order

_FILE = "trust.json"


class TagMoved(Exception):
    """A tag stands for another commit than it did."""


class Trust(NamedTuple):
    """The memory: commits by version."""

    highest: str
    pins: dict[str, str]


def read_trust(state: Path) -> Trust:
    """What is remembered; nothing at first."""
    path = state / _FILE
    if not path.exists():
        return Trust("", {})
    told = json.loads(path.read_text("utf-8"))
    return Trust(str(told.get("highest", "")), dict(told.get("pins", {})))


def pin(state: Path, version: str, commit: str) -> None:
    """Remembers the commit of a release. Raises TagMoved when another one is remembered."""
    trust = read_trust(state)
    check_pin(trust, version, commit)
    if version not in trust.pins:
        _write(state, trust._replace(pins={**trust.pins, version: commit}))


def check_pin(trust: Trust, version: str, commit: str) -> None:
    """Compares with what is remembered. Raises TagMoved."""
    known = trust.pins.get(version, commit)
    if known != commit:
        was, now = known[:12], commit[:12]
        raise TagMoved(
            f"The tag v{version} was {was} and is {now} now. A release never changes: find out who moved it."
        )


def see(state: Path, version: str) -> None:
    """Remembers that this server has come as far as a release."""
    trust = read_trust(state)
    if not trust.highest or version_order(version) > version_order(trust.highest):
        _write(state, trust._replace(highest=version))


def _write(state: Path, trust: Trust) -> None:
    state.mkdir(parents=True, exist_ok=True)
    temporary = state / f"{_FILE}.{os.getpid()}"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(trust._asdict(), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, state / _FILE)
