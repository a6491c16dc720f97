"""The ledger: which instructions this database has had, by an upgrade or by hand. It travels with the backup.

A server that began with a release never has to do what that release and those before it ask for: the ledger keeps
that beginning. Not for use within an event loop.
"""

import getpass
import socket
import time
from typing import NamedTuple

from phiomia.upgrade.database import Connection, connect, is_there

TABLE = "upgrade_ledger"
BY_UPGRADE = "upgrade"
BY_HAND = "by hand"
_BEGINNING = "beginning"  # no id of a step: those have an @

_RECORD = f"""
    INSERT INTO {TABLE} (step_id, release, how, runs, started_at, finished_at, seconds, user_name, host, plan_hash)
    VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (step_id) DO UPDATE SET
        release = excluded.release, how = excluded.how, runs = {TABLE}.runs + 1, started_at = excluded.started_at,
        finished_at = excluded.finished_at, seconds = excluded.seconds, user_name = excluded.user_name,
        host = excluded.host, plan_hash = excluded.plan_hash
"""  # noqa: S608 (the table's name is ours)
_BEGIN = f"""
    INSERT INTO {TABLE} (step_id, release, how, started_at, finished_at, user_name, host)
    VALUES ('{_BEGINNING}', ?, 'installed', ?, ?, ?, ?) ON CONFLICT (step_id) DO NOTHING
"""  # noqa: S608
_LIST = f"""
    SELECT step_id, release, how, runs, started_at, finished_at, seconds, user_name, host, plan_hash
    FROM {TABLE} WHERE step_id <> '{_BEGINNING}' ORDER BY finished_at, step_id
"""  # noqa: S608
_FIND_BEGINNING = f"SELECT release FROM {TABLE} WHERE step_id = '{_BEGINNING}'"  # noqa: S608


class Entry(NamedTuple):
    """An instruction that was executed; times are milliseconds since 1970."""

    step_id: str
    release: str
    how: str
    runs: int
    started_at: int
    finished_at: int
    seconds: float
    user_name: str
    host: str
    plan_hash: str


def record(
    database_url: str,
    step_id: str,
    release: str,
    how: str = BY_UPGRADE,
    *,
    started: float | None = None,
    plan: str = "",
) -> None:
    """Notes that an instruction was executed; `started` is a time, `plan` says in which plan and leg."""
    now = time.time()
    began = now if started is None else started
    times = (int(began * 1000), int(now * 1000), now - began)
    with connect(database_url) as connection:
        connection.rows(_RECORD, step_id, release, how, *times, *_who(), plan)


def done(database_url: str) -> frozenset[str]:
    """The ids of all instructions that were executed; none without a ledger."""
    return frozenset(entry.step_id for entry in entries(database_url))


def entries(database_url: str) -> list[Entry]:
    """The whole ledger, the oldest entry first."""
    if not is_there(database_url):
        return []
    with connect(database_url) as connection:
        return [Entry(*row) for row in connection.rows(_LIST)] if connection.has_table(TABLE) else []


def begin(database_url: str, release: str) -> None:
    """Notes with which release this database began, unless that is known."""
    now = int(time.time() * 1000)
    with connect(database_url) as connection:
        if connection.has_table(TABLE):
            connection.rows(_BEGIN, release, now, now, *_who())


def find_beginning(database_url: str) -> str:
    """The release that this database began with; empty when nobody has noted it."""
    if not is_there(database_url):
        return ""
    with connect(database_url) as connection:
        return _find_beginning(connection) if connection.has_table(TABLE) else ""


def _find_beginning(connection: Connection) -> str:
    found = connection.rows(_FIND_BEGINNING)
    return str(found[0][0]) if found else ""


def _who() -> tuple[str, str]:
    return user_name(), socket.gethostname()


def user_name() -> str:
    """Who does this, as the system calls them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "?"  # containers run as numbers that nobody has named
