"""What most handlers need of the worker's context. What only some need they name beside it, in a Protocol of theirs."""

from typing import Protocol

from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.storage import Storage


class HasDatabase(Protocol):
    """Something with the database."""

    @property
    def db(self) -> Database:
        """The database."""
        ...


class HasConfig(Protocol):
    """Something with the settings."""

    @property
    def config(self) -> Config:
        """The settings."""
        ...


class HasStorage(Protocol):
    """Something with the place for files."""

    @property
    def storage(self) -> Storage:
        """Where the files are."""
        ...
