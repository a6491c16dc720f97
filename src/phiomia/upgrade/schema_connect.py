"""Opens the migrator of a database."""

import contextlib
from collections.abc import AsyncIterator

from phiomia.upgrade.migrator import Migrator


@contextlib.asynccontextmanager
async def open_migrator(database_url: str) -> AsyncIterator[Migrator]:
    """A migrator with a connection of its own, closed in the end. SQLite makes a file that is absent."""
    migrator: Migrator
    if database_url.startswith("sqlite:"):
        from phiomia.upgrade.schema_sqlite import connect_sqlite  # each needs one driver only

        migrator = connect_sqlite(database_url)
    else:
        from phiomia.upgrade.schema_postgresql import connect_postgresql

        migrator = await connect_postgresql(database_url)
    try:
        yield migrator
    finally:
        await migrator.close()
