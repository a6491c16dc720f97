"""What the commands of an upgrade work on: this server, with a database that has everything that follows a change."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from phiomia.cli.upgrade_notices import Announcements
from phiomia.platform.config import Config, load_config
from phiomia.platform.db import Database
from phiomia.upgrade.backfills import Backfill
from phiomia.upgrade.places import Places, find_places
from phiomia.upgrade.site import Site


def open_site(places: Places | None = None) -> Site:
    """This server. Raises ConfigError."""
    return Site(places or find_places(), load_config(), open_for_steps, load_backfills, Announcements(open_for_steps))


def load_backfills() -> Sequence[Backfill]:
    """The backfills of this release."""
    from phiomia.backfills import BACKFILLS

    return BACKFILLS


@asynccontextmanager
async def open_for_steps(config: Config) -> AsyncIterator[Database]:
    """The database as steps get it."""
    from phiomia.cli.follow_up import FollowUp
    from phiomia.cli.open import open_bus
    from phiomia.platform.db import open_database
    from phiomia.platform.events import Services

    db = open_database(config.database_url, synchronous=config.database.synchronous, pool=2)
    bus = await open_bus(config)
    db.services = Services(side_effects=FollowUp(db), bus=bus, config=config)
    try:
        await db.start()
        yield db
    finally:
        await db.close()
        await bus.close()
