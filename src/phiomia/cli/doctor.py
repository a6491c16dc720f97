"""`phiomia doctor`: looks at everything that a server needs, and says how to mend what is wrong."""

import asyncio
import os
import resource
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, NamedTuple

import click

from phiomia.platform.config import Config, ConfigError, load_config
from phiomia.platform.version import describe_version

Grade = Literal["good", "odd", "bad"]
_MARKS: dict[Grade, str] = {"good": "ok  ", "odd": "WARN", "bad": "FAIL"}
_FREE_MB_BAD = 100
_FREE_MB_ODD = 1024
_OPEN_FILES = 4096
_CLOCK_SECONDS = 30
# Earlier ones may damage a file that several processes write to.
_SQLITE = (3, 51, 3)


class Finding(NamedTuple):
    """What was found out about one thing; `mend` says what to do unless it is good."""

    subject: str
    grade: Grade
    text: str
    mend: str = ""


@click.command()
def doctor() -> None:
    """Look at everything the server needs. Exit status 1 when something must be mended."""
    try:
        config = load_config()
    except ConfigError as error:
        findings = [
            Finding("settings", "bad", str(error), "correct it; docs/reference/settings.md explains each setting")
        ]
    else:
        findings = asyncio.run(examine(config))
    for finding in findings:
        print(f"{_MARKS[finding.grade]}  {finding.subject}: {finding.text}")
        if finding.grade != "good":
            print(f"      → {finding.mend}")
    sys.exit(1 if any(finding.grade == "bad" for finding in findings) else 0)


async def examine(config: Config) -> list[Finding]:
    """Everything there is to find out."""
    checks: list[Callable[[Config], Awaitable[Finding]]] = [
        _check_address,
        _check_data,
        _check_space,
        _check_sqlite,
        _check_database,
        _check_bus,
        _check_clock,
        _check_open_files,
        _check_release,
    ]
    found = [await check(config) for check in checks]
    return [Finding("version", "good", describe_version()), Finding("settings", "good", "make sense"), *found]


async def _check_address(config: Config) -> Finding:
    if config.secure:
        return Finding("address", "good", config.base_url)
    mend = "set public_url to the https:// address that people will use, before anybody joins"
    return Finding("address", "odd", f"{config.base_url} is not https: other servers will not talk to it", mend)


async def _check_data(config: Config) -> Finding:
    folder = config.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        mend = f"let the user {os.getuid()} write there (chown), or set `data` to another directory"
        return Finding("data directory", "bad", f"{folder} can't be written to: {error.strerror}", mend)
    if _is_open_to_all(folder):
        mend = f"chmod o= {folder}"
        return Finding("data directory", "odd", f"{folder} can be read by every user of this machine", mend)
    return Finding("data directory", "good", str(folder))


def _is_open_to_all(folder: Path) -> bool:
    """Whether strangers on the machine reach a database that they may read."""
    database = folder / "phiomia.sqlite3"
    return bool(folder.stat().st_mode & stat.S_IXOTH and database.exists() and database.stat().st_mode & stat.S_IROTH)


async def _check_space(config: Config) -> Finding:
    folder = config.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 1024**2
    text = f"{free:,} MB free in {folder}"
    mend = "make room: databases and media stop working on a full disk"
    grade: Grade = "bad" if free < _FREE_MB_BAD else "odd" if free < _FREE_MB_ODD else "good"
    return Finding("disk space", grade, text, mend)


async def _check_sqlite(config: Config) -> Finding:
    if not config.database_url.startswith("sqlite:"):
        return Finding("SQLite", "good", "not used")
    import apsw

    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < _SQLITE:
        needed = ".".join(map(str, _SQLITE))
        return Finding(
            "SQLite", "bad", f"{version} is older than {needed}", "install the package apsw anew, as a wheel"
        )
    return Finding("SQLite", "good", version)


async def _check_database(config: Config) -> Finding:
    from phiomia.cli.open import has_schema
    from phiomia.migrations import EXPAND_HEADS
    from phiomia.platform.db import Unavailable
    from phiomia.platform.unreachable import hide_password
    from phiomia.upgrade import schema

    place = hide_password(config.database_url)
    try:
        revisions = await schema.current(config.database_url) if await has_schema(config) else frozenset()
    except Unavailable as error:
        return Finding("database", "bad", error.what, error.mend)
    if not revisions:
        return Finding("database", "odd", f"{place} has no tables yet", "start the server: `phiomia serve` makes them")
    if missing := EXPAND_HEADS - revisions:
        mend = "stop nothing: `phiomia serve` or an upgrade brings the tables up to date"
        return Finding("database", "bad", f"{place} lacks {', '.join(sorted(missing))}", mend)
    return Finding("database", "good", f"{place}, tables up to date")


async def _check_bus(config: Config) -> Finding:
    from phiomia.cli.open import running_hub
    from phiomia.platform.unreachable import hide_password

    if not config.bus.url.startswith(("redis", "valkey")):
        running = running_hub(config) is not None
        return Finding("bus", "good", "within the server, which runs" if running else "within the server")
    from redis.asyncio import Redis

    place = hide_password(config.bus.url)
    url = config.bus.url.replace("valkey", "redis", 1)
    client = Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)
    try:
        await client.ping()
    except Exception as error:
        return Finding("bus", "bad", f"{place} does not answer: {error}", "start it, or correct `bus.url`")
    finally:
        await client.aclose()
    return Finding("bus", "good", place)


async def _check_clock(config: Config) -> Finding:
    from phiomia.cli.open import has_schema
    from phiomia.platform.db import Query, Unavailable, open_database

    mend = "let the system keep the time (chrony, systemd-timesyncd): signatures and ids depend on it"
    if time.time() < 1_767_225_600:  # 2026
        return Finding("clock", "bad", f"it is not {time.strftime('%Y')} any more", mend)
    if not config.database_url.startswith("postgresql"):
        return Finding("clock", "good", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
    try:
        if not await has_schema(config):
            return Finding("clock", "good", "no database to compare with")
        db = open_database(config.database_url, pool=1)
        await db.start()
        try:
            async with db.read() as session:
                theirs = await session.value(Query.raw(sqlite="SELECT extract(epoch FROM clock_timestamp())"))
        finally:
            await db.close()
    except Unavailable:
        return Finding("clock", "good", "no database to compare with")
    apart = abs(float(theirs) - time.time())
    if apart > _CLOCK_SECONDS:
        return Finding("clock", "bad", f"it is {apart:.0f} s apart from the database's", mend)
    return Finding("clock", "good", f"{apart:.1f} s apart from the database's")


def _find_open_files(config: Config) -> tuple[int, int]:
    """The least that a part of the server has; while none runs, or for other users, what this command has."""
    from phiomia.platform.control import find_supervisors

    pids = [one.status["pid"] for one in find_supervisors(config.data_dir / "run")]
    try:
        return min(resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids)
    except (ValueError, ProcessLookupError, PermissionError):
        return resource.getrlimit(resource.RLIMIT_NOFILE)


async def _check_open_files(config: Config) -> Finding:
    soft, hard = _find_open_files(config)
    if soft >= _OPEN_FILES or soft == resource.RLIM_INFINITY:
        return Finding("open files", "good", f"{soft} at once")
    mend = f"raise the limit to {_OPEN_FILES} or more (LimitNOFILE= in the unit, or ulimit -n; the most is {hard})"
    return Finding("open files", "odd", f"{soft} at once is little: each stream and connection is one", mend)


async def _check_release(config: Config) -> Finding:
    from phiomia import __version__
    from phiomia.cli.open import has_schema
    from phiomia.platform.db import Unavailable
    from phiomia.upgrade.checkout import source_root
    from phiomia.upgrade.news import SECURITY, describe_news, has_newer, read_news
    from phiomia.upgrade.signers import read_signers_of

    signed = "signed" if read_signers_of(source_root()) else "not signed"
    if not config.upgrade.check:
        return Finding("releases", "good", f"nobody looks for newer ones (upgrade.check is off); they are {signed}")
    try:
        if not await has_schema(config):
            return Finding("releases", "good", "no database to ask")
        news = await asyncio.to_thread(read_news, config.database_url)
    except (Unavailable, OSError):
        return Finding("releases", "good", "no database to ask")
    said = describe_news(news, __version__, time.time())
    if said:
        mend = "`phiomia upgrade check` asks again, `phiomia upgrade` takes a release up"
        grade: Grade = "bad" if news.urgency == SECURITY and has_newer(news, __version__) else "odd"
        return Finding("releases", grade, " ".join(said), mend)
    when = time.strftime("looked on %Y-%m-%d", time.gmtime(news.checked_at)) if news.checked_at else "not looked yet"
    return Finding("releases", "good", f"none is newer ({when}); releases are {signed}")
