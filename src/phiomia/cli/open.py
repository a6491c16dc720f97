"""What commands stand on: the settings, and the open database with everything that follows a change."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from phiomia.platform.config import Config, load_config
from phiomia.platform.unreachable import hide_password

if TYPE_CHECKING:
    from phiomia.domain.users.queries import UserView
    from phiomia.platform.db import Database

T = TypeVar("T")


class CommandError(Exception):
    """A command can't do what it was asked to: what, where, and how to mend it."""


class Open(NamedTuple):
    """What a command works with."""

    config: Config
    db: "Database"


def run(work: Callable[[Open], Awaitable[T]], *, create: bool = False) -> T:
    """Does the work with an open database. `create`: a database without tables gets them first.

    Raises CommandError, ConfigError, Unavailable, or what the work raises.
    """
    return asyncio.run(_run(load_config(), work, create))


async def load_member(opened: Open, name: str) -> "UserView":
    """The user with that name. Raises CommandError."""
    from phiomia.domain.users.queries import find_user

    async with opened.db.read() as session:
        found = await find_user(session, name)
    if found is None:
        raise CommandError(f"Nobody here is called {name!r}. `phiomia accounts list` shows who is.")
    return found


async def _run(config: Config, work: Callable[[Open], Awaitable[T]], create: bool) -> T:
    from phiomia.cli.follow_up import FollowUp
    from phiomia.platform.db import open_database
    from phiomia.platform.events import Services
    from phiomia.upgrade.compat_session import check_session

    await _prepare_schema(config, create)
    options = {"synchronous": config.database.synchronous, "busy_seconds": config.database.busy_seconds}
    db = open_database(config.database_url, pool=1, **options)
    bus = await open_bus(config)
    db.services = Services(side_effects=FollowUp(db), bus=bus, config=config)
    try:
        await db.start()
        async with db.read() as session:
            await check_session(session)
        return await work(Open(config, db))
    finally:
        await db.close()
        await bus.close()


async def _prepare_schema(config: Config, create: bool) -> None:
    if not create:
        await require_schema(config)
    elif not await has_schema(config):
        from phiomia.serving import bring_up_schema

        await bring_up_schema(config)


async def require_schema(config: Config) -> None:
    """Raises CommandError where the database has no tables of ours, Unavailable when it can't be reached."""
    if not await has_schema(config):
        raise CommandError(
            f"The database {hide_password(config.database_url)} has no tables yet."
            " Start the server once (`phiomia serve`), or create an account."
        )


async def has_schema(config: Config) -> bool:
    """Whether the database has tables of ours. Raises Unavailable when it can't be reached."""
    from phiomia.upgrade.first_look import look_at_schema

    url = config.database_url
    if url.startswith("sqlite:") and not os.path.exists(url.removeprefix("sqlite:///")):  # noqa: ASYNC240
        return False  # asking would make an empty file
    return bool(await look_at_schema(url))


async def open_bus(config: Config) -> Any:
    """The bus of the server that runs here, or one of our own."""
    from phiomia.platform.bus import open_bus

    bus = open_bus(config.bus.url or running_hub(config) or "local:")
    await bus.start()
    return bus


def running_hub(config: Config) -> str | None:
    """The address of the bus of a server that runs on this machine; None when none does."""
    import socket

    path = config.sockets_dir / "bus.sock"
    if not path.exists():
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except OSError:
            return None  # left behind by a server that was killed
    return f"unix:{path}"
