"""Whether a process lives, and whether it can serve."""

from collections.abc import Callable
from pathlib import Path

from phiomia.platform.config import Config
from phiomia.platform.db import Database, Query, TooSlow, Unavailable

# Touches a real table: a database that answers SELECT 1 may still lack the schema.
TOUCH = Query.raw(sqlite="SELECT count(*) FROM leases")
NO_DATABASE = "the database does not answer"

# What is in the way of a role, beside the database; empty when nothing is.
Obstacle = Callable[[], str]


def health_folder(config: Config) -> Path:
    """Where every process has the socket that it answers questions about itself on."""
    return config.sockets_dir / "health"


async def is_ready(db: Database) -> bool:
    """Whether the database answers."""
    try:
        async with db.read() as session:
            await session.value(TOUCH)
    except (Unavailable, TooSlow):
        return False
    return True


async def find_obstacle(db: Database, obstacle: Obstacle | None = None) -> str:
    """Why a process can't serve; empty when it can."""
    if not await is_ready(db):
        return NO_DATABASE
    return obstacle() if obstacle is not None else ""
