"""Copies a database into a file while it is written to, and a file back into a database.

SQLite is copied in one step (VACUUM INTO), PostgreSQL by its own programs.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from phiomia.upgrade.database import Connection, connect, is_there, sqlite_path
from phiomia.upgrade.report import Report

MARKER = "schema_revisions"
# What nobody loses many rows of at once; of others, such as jobs, a copy may have any number.
_LASTING = ("accounts", "users", "statuses", "follows", "media", "upgrade_ledger", MARKER)
_LOOK_S = 0.5


class BackupError(Exception):
    """There is no backup that could be relied on, or it can't be brought back; the message says why."""


def save_database(database_url: str, path: Path, report: Report) -> dict[str, int]:
    """Copies the database into the file; gives the rows of each table in it. Raises BackupError."""
    if not is_there(database_url):
        raise BackupError(f"There is no database {sqlite_path(database_url)}.")
    with connect(database_url) as connection:
        least = count_now(connection, _LASTING)
    save = _save_sqlite if sqlite_path(database_url) else _save_postgresql
    save(database_url, path, report)
    path.chmod(0o600)
    rows = count_file(path, report)
    _compare(least, rows)
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return rows


def count_file(path: Path, report: Report) -> dict[str, int]:
    """Reads a saved database to its end; gives the rows of each table. Raises BackupError."""
    if path.suffix == ".sqlite3":
        report.say("reading the copy")
        return check_sqlite(path)
    report.say("reading the dump")
    return _count_dump(path, report)


def check_sqlite(path: Path) -> dict[str, int]:
    """The rows of each table of a SQLite file that is whole. Raises BackupError."""
    with connect(f"sqlite:///{path}") as copy:
        found = copy.rows("PRAGMA integrity_check")
        if found != [("ok",)]:
            raise BackupError(f"The copy of the database is damaged: {found[0][0]}")
        return count_now(copy, list_tables(copy))


def list_tables(connection: Connection) -> list[str]:
    """The names of all tables with rows of their own."""
    if connection.dialect == "sqlite":
        told = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        told += " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    else:
        told = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    return [str(row[0]) for row in connection.rows(told)]


def count_now(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    """The rows of those of these tables that are there."""
    return {
        table: int(connection.rows(f'SELECT count(*) FROM "{table}"')[0][0])  # noqa: S608 (its own names)
        for table in tables
        if connection.has_table(table)
    }


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


def load_postgresql(path: Path, database_url: str) -> None:
    """Replaces everything in a PostgreSQL database by a dump, in one transaction. Raises BackupError."""
    arguments, environment = connection_of(database_url)
    psql = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", *arguments]
    read = ["pg_restore", "--no-owner", "--no-privileges", "--file", "-", str(path)]
    with tempfile.TemporaryFile() as said:
        with (
            subprocess.Popen(read, stdout=subprocess.PIPE, stderr=said, env=environment) as reading,
            subprocess.Popen(
                psql, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=environment
            ) as writing,
        ):
            assert reading.stdout is not None and writing.stdin is not None
            # psql would have ended with an error that it tells itself.
            with suppress(BrokenPipeError), writing.stdin as to:
                to.write(b"BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
                shutil.copyfileobj(reading.stdout, to)
                # Half a dump is good SQL, too.
                if reading.wait() == 0:
                    to.write(b"\nCOMMIT;\n")
            reading.stdout.close()
        said.seek(0)
        if reading.returncode != 0 or writing.returncode != 0:
            told = said.read().decode("utf-8", "replace").strip()[-1000:]
            raise BackupError(f"The dump could not be brought back: {told}")


def connection_of(database_url: str) -> tuple[list[str], dict[str, str]]:
    """How PostgreSQL's programs are told the same database; the password is not for the list of processes."""
    parts = urlsplit(database_url)
    environment = dict(os.environ)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    bare = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@") if parts.password else parts.netloc)
    return ["--dbname", bare.geturl()], environment


def _save_sqlite(database_url: str, path: Path, report: Report) -> None:
    report.say("copying the database")
    source = sqlite_path(database_url)
    with connect(database_url) as connection, _watch(path, source.stat().st_size if source else None, report):
        connection.rows("VACUUM INTO ?", str(path))


def _save_postgresql(database_url: str, path: Path, report: Report) -> None:
    missing = check_tools(database_url)
    if missing:
        raise BackupError(missing)
    arguments, environment = connection_of(database_url)
    report.say("pg_dump")
    with _watch(path, None, report):
        done = subprocess.run(
            ["pg_dump", "-Fc", "--no-owner", "--file", str(path), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    if done.returncode != 0:
        raise BackupError(f"pg_dump failed: {done.stderr.strip()[-1000:]}")


def _count_dump(path: Path, report: Report) -> dict[str, int]:
    """The rows of every table in a dump: the lines of each COPY."""
    command = ["pg_restore", "--data-only", "--file", "-", str(path)]
    rows: dict[str, int] = {}
    table, told_at = "", time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if table and line == b"\\.\n":
                table = ""
            elif table:
                rows[table] += 1
            elif line.startswith(b"COPY public."):
                table = line.split(b" ", 2)[1].decode().removeprefix("public.").strip('"')
                rows[table] = 0
                if time.monotonic() - told_at > _LOOK_S:
                    told_at = time.monotonic()
                    report.progress(sum(rows.values()), None, "rows read")
    if running.returncode != 0:
        raise BackupError(f"pg_restore can't read {path}.")
    return rows


def _compare(least: Mapping[str, int], rows: Mapping[str, int]) -> None:
    for table, count in least.items():
        # People delete while we copy; a table that lost a tenth of its rows meanwhile is not believed.
        if rows.get(table, -1) < count * 0.9 - 10 or table not in rows:
            raise BackupError(f"The backup has {rows.get(table, 0)} rows of {table}, the database had {count}.")


@contextmanager
def _watch(path: Path, total: int | None, report: Report) -> Iterator[None]:
    """Tells how large the file is, while something writes it."""
    enough = threading.Event()

    def look() -> None:
        while not enough.wait(_LOOK_S):
            size = path.stat().st_size if path.exists() else 0
            report.progress(size / 1024**2, total / 1024**2 if total else None, "MB")

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        enough.set()
        watcher.join()
