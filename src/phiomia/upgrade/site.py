"""The server that is upgraded, and what is said when that can't go on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from phiomia.platform.config import Config
from phiomia.upgrade.backfills import Backfill
from phiomia.upgrade.places import Places
from phiomia.upgrade.steps import OpenDatabase


class UpgradeError(Exception):
    """The upgrade can't go on; the message says why and what to do."""


class Notices(Protocol):
    """Where people are told what they will notice."""

    def publish(self, config: Config, text: str, starts_at: int, ends_at: int) -> int:
        """Announces something, with moments in milliseconds; gives its number."""

    def withdraw(self, config: Config, number: int) -> None:
        """Takes it back, unless somebody else has."""


class Site(NamedTuple):
    """The server that is upgraded."""

    places: Places
    config: Config
    open_database: OpenDatabase
    load_backfills: Callable[[], Sequence[Backfill]]
    notices: Notices | None = None

    @property
    def run_dir(self) -> Path:
        """Where its processes tell how they are."""
        return self.config.data_dir / "run"
