"""Starts the roles: brings the database up to date, greets the first owner, becomes the supervisor.

Loads as little as it can, so that a start takes no longer than the roles themselves need.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from phiomia.platform.config import Config, ConfigError
from phiomia.platform.handover import replace_process
from phiomia.platform.locks import wait_for_lock
from phiomia.platform.topology import PYTHON, Child, Settings
from phiomia.platform.version import describe_version

ROLES = ("worker", "streaming", "web")
FOLDERS = ("run", "tmp", "media")
# For a small machine that has much else to do at the moment; what can't start says so at once.
_READY_SECONDS = 60.0
_BROKEN_OFF = "The demonstration was broken off. The next start with --demo finishes it."
_NO_DEMO = (
    "The demonstration is not complete; the server starts with what there is. The next start with --demo finishes it."
)


def run_serve(
    config: Config, *, first_run: bool = False, demo: bool = False, roles: tuple[str, ...] = ROLES
) -> NoReturn:
    """Prepares, then turns this process into the supervisor of the roles."""
    # The logger would cost this process more than the rest of it.
    where = f" at {config.base_url}, data in {config.data_dir}" if "web" in roles else ""
    print(f"phiomia {describe_version()}{where}", file=sys.stderr, flush=True)
    prepare(config, first_run=first_run, demo=demo)
    replace_process(describe(config, roles))


def prepare(config: Config, *, first_run: bool = False, demo: bool = False) -> None:
    """Directories, schema, and on the first run an owner and perhaps a demonstration. Raises ConfigError."""
    config.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    for name in FOLDERS:
        (config.data_dir / name).mkdir(parents=True, exist_ok=True)
    _own(config.sockets_dir)
    # Units of their own start at the same moment; the first one prepares for all.
    lock = wait_for_lock(str(config.data_dir / "run" / "prepare.lock"))
    try:
        _prepare_database(config, first_run=first_run, demo=demo)
    finally:
        os.close(lock)


def _prepare_database(config: Config, *, first_run: bool, demo: bool) -> None:
    import asyncio  # what describes the roles does without it

    applied = asyncio.run(bring_up_schema(config))
    welcomed = config.data_dir / "run" / "welcomed"
    if demo or (first_run and (applied or not welcomed.exists())):
        asyncio.run(_first_run(config, demo=demo))
        welcomed.touch()


async def bring_up_schema(config: Config) -> list[str]:
    """Makes the database, or adds what this release needs; gives the revisions. Raises Unavailable."""
    from phiomia.upgrade import schema  # what describes the roles does without it
    from phiomia.upgrade.first_look import look_at_schema

    fresh = not await look_at_schema(config.database_url)
    applied = await schema.upgrade(config.database_url)
    if fresh:
        await _skip_backfills(config)
    return applied


async def _skip_backfills(config: Config) -> None:
    from phiomia.backfills import BACKFILLS
    from phiomia.platform.clock import now_ms
    from phiomia.platform.db import open_database
    from phiomia.upgrade import backfills

    if not BACKFILLS:
        return
    db = open_database(config.database_url, pool=1)
    await db.start()
    try:
        await db.write(lambda session: backfills.skip(session, BACKFILLS, now_ms()))
    finally:
        await db.close()


def _own(folder: Path) -> None:
    # Outside the data directory somebody else could have made it first, to listen to our processes.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to somebody else, so no sockets can lie there. Choose a shorter `data`.")


async def _first_run(config: Config, *, demo: bool) -> None:
    import asyncio

    from phiomia.app import open_parts  # everything else does without it
    from phiomia.first_run import welcome_owner

    async with open_parts(config, "web") as parts:
        await welcome_owner(config, parts.db)
        if demo:
            from phiomia.demo import fill_demo

            try:
                await fill_demo(config, parts.db, parts.storage, parts.links)
            except asyncio.CancelledError:
                print(f"phiomia: {_BROKEN_OFF}", file=sys.stderr, flush=True)
                raise
            except Exception as error:
                # Whoever only wants to look around has a server all the same.
                traceback.print_exception(error)
                print(f"phiomia: {_NO_DEMO}", file=sys.stderr, flush=True)


def describe(config: Config, roles: tuple[str, ...] = ROLES) -> Settings:
    """The supervisor's settings: what to listen on, which children to keep. Workers are replaced before web."""
    run = config.data_dir / "run"
    database = "sqlite" if config.database_url.startswith("sqlite:") else "postgresql"
    child = (PYTHON, "-P", "-m", "phiomia", "child")
    processes = config.processes
    listen: dict[str, tuple[str, ...]] = {"web": (config.bind,)} if "web" in roles else {}
    if config.streaming_bind and "streaming" in roles:
        listen["streaming"] = (config.streaming_bind,)
    children = (
        Child("worker", (*child, "worker"), processes=processes.worker),
        Child(
            "streaming",
            (*child, "streaming"),
            processes=processes.streaming,
            listen="streaming" if "streaming" in listen else "",
            hands_over=True,
        ),
        Child("web", (*child, "web"), processes=processes.web, listen="web", stop_signal=signal.SIGINT, canary=True),
    )
    return Settings(
        listen=listen,
        children=tuple(made for made in children if made.role in roles),
        bus_path=str(config.sockets_dir / "bus.sock"),
        status_path=str(run / status_name(roles)),
        ready_limit_s=_READY_SECONDS,
        reload_limit_s=processes.reload_seconds,
        canary_s=processes.canary_seconds,
        describe=("-m", "phiomia", "describe", *roles),
        template=(PYTHON, "-P", "-m", "phiomia", "template", database),
        version=describe_version(),
    )


def status_name(roles: tuple[str, ...]) -> str:
    """The file in `<data>/run` where the supervisor of these roles says what it does."""
    return "status.json" if set(roles) == set(ROLES) else f"status-{'-'.join(roles)}.json"


def print_settings(config: Config, roles: tuple[str, ...]) -> None:
    """Tells the running release's supervisor what this release wants to run."""
    print(json.dumps(describe(config, roles).save()))
