"""Whether a release may run on a schema: the row that the migrator keeps, compared with a version.

An older release starts on a newer `expand` as if nothing had happened; after a `contract` that took away what it reads,
it must not start at all.
"""

import re
from typing import NamedTuple

from phiomia import __version__

EXIT_STATUS = 78  # EX_CONFIG: a supervisor that starts it again would only see the same

_BASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class Compat(NamedTuple):
    """How far the schema is. Without tables everything is empty; an empty `min_code` lets every release run."""

    expand_head: str = ""
    contract_head: str = ""
    min_code: str = ""


class TooOld(Exception):
    """This release can't work with the schema any more. `exit_status` is what the process should end with."""

    exit_status = EXIT_STATUS

    def __init__(self, needed_release: str, version: str) -> None:
        self.needed_release = needed_release
        super().__init__(
            f"The database's schema needs release {needed_release} or later; this is {version}."
            f" Start release {needed_release} or later, or restore the backup that was made before that upgrade."
        )


def base_version(version: str) -> tuple[int, int, int]:
    """What a version counts as here: 0.2.0.dev0, 0.2.0rc1 and 0.2.0+unreleased count as 0.2.0. Raises ValueError."""
    found = _BASE.match(version)
    if found is None:
        raise ValueError(f"{version!r} is no version")
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch)


def refuse_if_too_old(compat: Compat, version: str = __version__) -> None:
    """Does nothing when a release of that version may run. Raises TooOld."""
    if compat.min_code and base_version(version) < base_version(compat.min_code):
        raise TooOld(compat.min_code, version)


def newest(one: str, other: str) -> str:
    """The higher of two versions; an empty one is lower than any."""
    return max(one, other, key=lambda version: base_version(version) if version else (-1, -1, -1))
