"""What is known of this server before an upgrade, found out without changing anything."""

import asyncio
import os
import platform
import shutil
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.config import Config
from phiomia.upgrade import ledger, schema
from phiomia.upgrade.conditions import Value
from phiomia.upgrade.database import Connection, connect, is_there, sqlite_path
from phiomia.upgrade.journal import OPEN, list_journals
from phiomia.upgrade.lock import who_holds
from phiomia.upgrade.places import Places
from phiomia.upgrade.plan import Facts
from phiomia.upgrade.trust import read_trust

_COUNTED = ("accounts", "users", "statuses", "media", "follows")
# Above that many rows PostgreSQL's own estimate is good enough, and much faster.
_COUNT_UP_TO = 50_000


class Known(NamedTuple):
    """Facts, and what the ledger says."""

    facts: Facts
    ledger: frozenset[str]


def gather_facts(config: Config, places: Places, *, own_lock: bool = False) -> Known:
    """Everything the planner asks. `own_lock`: the lock is ours. Not for use within an event loop."""
    url = config.database_url
    kind = "postgresql" if sqlite_path(url) is None else "sqlite"
    has = is_there(url)
    applied = asyncio.run(schema.current(url)) if has else frozenset()
    size, version, counts = _ask(url) if applied else (0.0, "", {})
    named: dict[str, Value] = {"db_size": size, **counts}
    facts = Facts(
        python=platform.python_version(),
        database=kind,
        database_version=version,
        disk_free_mb=min(shutil.disk_usage(_existing(one)).free for one in (config.data_dir, places.app)) / 1024**2,
        ram_free_mb=_free_memory_mb(),
        applied=applied or None,
        unfinished_backfills=_unfinished_backfills(url) if applied else (),
        running_upgrade=describe_running(places, own_lock=own_lock),
        highest_seen=read_trust(places.state).highest,
        named=named,
    )
    return Known(facts, ledger.done(url) if applied else frozenset())


def describe_running(places: Places, *, own_lock: bool = False) -> str:
    """The upgrade that is not over yet, in words; empty when there is none."""
    if not own_lock and (holder := who_holds(places.state)):
        return holder
    for journal in list_journals(places.journal):
        told = journal.told
        if told.state in OPEN:
            how = {"running": "was broken off"}.get(told.state, told.state)
            return f"the one to {told.plan['target']} {how}; go on with `phiomia upgrade resume` or `… rollback`"
    return ""


def _unfinished_backfills(url: str) -> tuple[str, ...]:
    with connect(url) as connection:
        if not connection.has_table("backfills"):
            return ()
        rows = connection.rows("SELECT id FROM backfills WHERE state <> 'done' ORDER BY id")
    return tuple(str(row[0]) for row in rows)


def _ask(url: str) -> tuple[float, str, dict[str, Value]]:
    with connect(url) as connection:
        counts: dict[str, Value] = {
            table: _count(connection, table) for table in _COUNTED if connection.has_table(table)
        }
        path = sqlite_path(url)
        if path is not None:
            return path.stat().st_size / 1024**2, str(connection.rows("SELECT sqlite_version()")[0][0]), counts
        size = connection.rows("SELECT pg_database_size(current_database())")[0][0]
        version = str(connection.rows("SELECT current_setting('server_version')")[0][0])
    return float(size) / 1024**2, version.partition(" ")[0], counts


def _count(connection: Connection, table: str) -> int:
    if connection.dialect == "postgresql":
        estimate = int(connection.rows("SELECT reltuples FROM pg_class WHERE oid = to_regclass(?)", table)[0][0])
        if estimate > _COUNT_UP_TO:
            return estimate
    return int(connection.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 (one of ours)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _free_memory_mb() -> float | None:
    path = Path("/proc/meminfo")
    for line in path.read_text("ascii").splitlines() if os.path.exists(path) else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return None
