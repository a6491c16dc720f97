"""Whether this release may run on the database that it finds. What decides is in `min_code.py`."""

from phiomia import __version__
from phiomia.upgrade.min_code import EXIT_STATUS, Compat, TooOld, base_version, newest, refuse_if_too_old
from phiomia.upgrade.schema_connect import open_migrator


async def load_compat(database_url: str) -> Compat:
    """How far the database's schema is."""
    async with open_migrator(database_url) as migrator:
        return (await migrator.read()).compat


async def check_start(database_url: str, version: str = __version__) -> None:
    """Does nothing when this release may run on the database as it is. Raises TooOld."""
    refuse_if_too_old(await load_compat(database_url), version)


__all__ = [
    "EXIT_STATUS",
    "Compat",
    "TooOld",
    "base_version",
    "check_start",
    "load_compat",
    "newest",
    "refuse_if_too_old",
]
