"""Backs the database up before its schema changes, and believes the backup only when it has been read again.

SQLite is copied in one step (VACUUM INTO), PostgreSQL by pg_dump; both while the server writes.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from phiomia.upgrade.database import Connection, connect, is_there, sqlite_path
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import Report

FRESH_S = 15 * 60
_COUNTED = ("accounts", "users", "statuses", "follows", "media", "upgrade_ledger", "schema_revisions")
_SCHEMA = "schema_revisions"
_NAME = "phiomia-"


class BackupError(Exception):
    """There is no backup that could be relied on; the message says why."""


class Backup(NamedTuple):
    """A backup that was verified: its file, when it was made, how many rows of some tables are in it."""

    path: Path
    at: float
    rows: Mapping[str, int]
    reused: bool = False


def make_backup(places: Places, database_url: str, report: Report) -> Backup:
    """A verified backup: a fresh one if there is one, else a new one. Raises BackupError."""
    folder = backup_folder(places)
    fresh = _find_fresh(folder, database_url)
    if fresh is not None:
        report.say(f"{fresh.path} is {(time.time() - fresh.at) / 60:.0f} min old and verified: that one will do")
        return fresh
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sqlite = sqlite_path(database_url)
    kind = "sqlite3" if sqlite else "dump"
    path = folder / f"{_NAME}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.{kind}"
    at = time.time()
    # Rows that are added meanwhile may be in it; those that were there must be, unless somebody deletes.
    rows = _save_sqlite(database_url, path, report) if sqlite else _save_postgresql(database_url, path, report)
    _write_mark(path, at, rows, database_url)
    report.say(f"{path}, {path.stat().st_size / 1024**2:,.1f} MB, verified")
    return Backup(path, at, rows)


def check_tools(database_url: str) -> str:
    """Why no backup could be made here; empty when one can. Raises what the database raises."""
    if sqlite_path(database_url) is not None:
        return ""
    for tool in ("pg_dump", "pg_restore"):
        if shutil.which(tool) is None:
            return (
                f"{tool} is missing: install PostgreSQL's client programs (postgresql-client),"
                " or back up yourself and say --backup never."
            )
    with connect(database_url) as connection:
        server = int(connection.rows("SELECT current_setting('server_version_num')")[0][0]) // 10_000
    told = subprocess.run(["pg_dump", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"(\d+)(?:\.\d+)?", told)
    client = int(found[1]) if found else 0
    if client < server:
        return (
            f"pg_dump is of PostgreSQL {client}, but the server is {server}, which it can't read:"
            f" install postgresql-client-{server}, or back up yourself and say --backup never."
        )
    return ""


def backup_folder(places: Places) -> Path:
    """Where backups lie."""
    return places.shared / "backups"


def find_backup(path: Path) -> Backup | None:
    """A verified backup in a file; None when it is not there or was not verified."""
    mark = _mark(path)
    if not path.exists() or not mark.exists():
        return None
    told = json.loads(mark.read_text("utf-8"))
    return Backup(path, told["at"], told["rows"])


def how_to_restore(path: Path, database_url: str) -> str:
    """The command that goes back to a backup, for people."""
    sqlite = sqlite_path(database_url)
    if sqlite is not None:
        return f"stop the server, then: rm -f {sqlite}-wal {sqlite}-shm && cp {path} {sqlite}"
    return f"stop the server, then: pg_restore --clean --if-exists --dbname=<database> {path}"


def _find_fresh(folder: Path, database_url: str) -> Backup | None:
    for path in sorted(folder.glob(f"{_NAME}*"), reverse=True) if folder.is_dir() else ():
        backup = find_backup(path)
        if backup and time.time() - backup.at < FRESH_S and _belongs(path, database_url):
            return backup._replace(reused=True)
    return None


def _belongs(path: Path, database_url: str) -> bool:
    told: dict[str, Any] = json.loads(_mark(path).read_text("utf-8"))
    if told["of"] != _describe(database_url) or told["size"] != path.stat().st_size:
        return False
    with connect(database_url) as connection:
        # One from before the last migration would bring back more than what is asked for now.
        return bool(told["rows"].get(_SCHEMA) == _count(connection).get(_SCHEMA))


def _save_sqlite(database_url: str, path: Path, report: Report) -> dict[str, int]:
    if not is_there(database_url):
        raise BackupError(f"There is no database {sqlite_path(database_url)}.")
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    report.say("copying the database")
    with connect(database_url) as connection:
        least = _count(connection)
        connection.rows("VACUUM INTO ?", str(part))
    report.say("reading the copy")
    with connect(f"sqlite:///{part}") as copy:
        found = copy.rows("PRAGMA integrity_check")
        if found != [("ok",)]:
            raise BackupError(f"The copy of the database is damaged: {found[0][0]}")
        rows = _count(copy)
    _compare(least, rows)
    _finish(part, path)
    return rows


def _save_postgresql(database_url: str, path: Path, report: Report) -> dict[str, int]:
    missing = check_tools(database_url)
    if missing:
        raise BackupError(missing)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    arguments, environment = _connection_of(database_url)
    with connect(database_url) as connection:
        least = _count(connection)
    report.say("pg_dump")
    _run(["pg_dump", "-Fc", "--no-owner", "--file", str(part), *arguments], environment)
    report.say("reading the dump")
    listed = _run(["pg_restore", "--list", str(part)], environment)
    rows = {
        table: _count_dumped(part, table, environment) for table in least if f" TABLE DATA public {table} " in listed
    }
    if missing_tables := sorted(set(least) - set(rows)):
        raise BackupError(f"The dump lacks the rows of {', '.join(missing_tables)}.")
    _compare(least, rows)
    _finish(part, path)
    return rows


def _count(connection: Connection) -> dict[str, int]:
    tables = [table for table in _COUNTED if connection.has_table(table)]
    return {table: int(connection.rows(f"SELECT count(*) FROM {table}")[0][0]) for table in tables}  # noqa: S608


def _count_dumped(part: Path, table: str, environment: Mapping[str, str]) -> int:
    """The rows of one table in a dump: the lines of its COPY."""
    command = ["pg_restore", "--data-only", "--table", table, "--file", "-", str(part)]
    inside, rows = False, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(environment), start_new_session=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if inside and line == b"\\.\n":
                inside = False
            elif inside:
                rows += 1
            elif line.startswith(b"COPY "):
                inside = True
    if running.returncode != 0:
        raise BackupError(f"pg_restore can't read {table} from the dump.")
    return rows


def _compare(least: Mapping[str, int], rows: Mapping[str, int]) -> None:
    for table, count in least.items():
        # People delete while we copy; a table that lost a tenth of its rows meanwhile is not believed.
        if rows.get(table, 0) < count * 0.9 - 10:
            raise BackupError(f"The backup has {rows.get(table, 0)} rows of {table}, the database had {count}.")


def _finish(part: Path, path: Path) -> None:
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.chmod(0o600)
    os.replace(part, path)


def _write_mark(path: Path, at: float, rows: Mapping[str, int], database_url: str) -> None:
    told = {"at": at, "rows": dict(rows), "of": _describe(database_url), "size": path.stat().st_size}
    _mark(path).write_text(json.dumps(told), "utf-8")


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.verified")


def _describe(database_url: str) -> str:
    parts = urlsplit(database_url)
    return f"{parts.hostname or ''}:{parts.port or ''}{parts.path}"


def _connection_of(database_url: str) -> tuple[list[str], dict[str, str]]:
    """How PostgreSQL's programs are told the same database; the password is not for the list of processes."""
    parts = urlsplit(database_url)
    environment = dict(os.environ)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    bare = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@") if parts.password else parts.netloc)
    return ["--dbname", bare.geturl()], environment


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True
    )
    if done.returncode != 0:
        raise BackupError(f"{command[0]} failed: {done.stderr.strip()[-1000:]}")
    return done.stdout
