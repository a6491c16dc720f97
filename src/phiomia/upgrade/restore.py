"""Brings a backup back, or tries that in an empty place and compares what comes out."""

import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from phiomia.platform.config import Config, find_file
from phiomia.platform.control import find_supervisors
from phiomia.platform.locks import wait_for_lock
from phiomia.upgrade.backup import Backup, list_files, place_file
from phiomia.upgrade.backup_database import (
    BackupError,
    check_sqlite,
    count_file,
    count_now,
    list_tables,
    load_postgresql,
)
from phiomia.upgrade.database import connect, is_there, sqlite_path
from phiomia.upgrade.report import Report

_TOLD_EVERY = 200


def verify_backup(backup: Backup, database_url: str, report: Report) -> str:
    """Restores a backup into an empty place and compares its rows; gives how that was done. Raises BackupError.

    A dump goes into a database beside the server's own; where we may make none, it is only read to its end.
    """
    _check_media(backup, report)
    if backup.kind == "sqlite":
        copy = backup.database.with_name(f".verify-{secrets.token_hex(4)}.sqlite3")
        try:
            shutil.copyfile(backup.database, copy)
            report.say("reading the copy")
            compare_rows(backup.rows, check_sqlite(copy))
        finally:
            for one in copy.parent.glob(f"{copy.name}*"):
                one.unlink()
        return "restored into a copy"
    if sqlite_path(database_url) is None and (scratch := _create_scratch(database_url)):
        try:
            report.say("restoring the dump into a database of its own")
            load_postgresql(backup.database, scratch)
            compare_rows(backup.rows, _count(scratch))
        finally:
            _drop(database_url, scratch)
        return "restored into an empty database"
    compare_rows(backup.rows, count_file(backup.database, report))
    return "only read to its end, since no database may be made here (ALTER ROLE … CREATEDB)"


def restore_backup(backup: Backup, config: Config, report: Report, *, force: bool) -> list[str]:
    """Replaces what is there by a backup; gives what people should know. Raises BackupError."""
    # Whoever is started meanwhile, perhaps by a request that comes in at its socket, waits for us.
    lock = wait_for_lock(str(config.data_dir / "run" / "prepare.lock"))
    try:
        return _restore(backup, config, report, force=force)
    finally:
        os.close(lock)


def _restore(backup: Backup, config: Config, report: Report, *, force: bool) -> list[str]:
    url = config.database_url
    if (backup.kind == "sqlite") != (sqlite_path(url) is not None):
        raise BackupError(f"The backup is of {backup.kind}, but the settings name another kind of database.")
    running = find_supervisors(config.data_dir / "run")
    if running:
        raise BackupError(f"The server runs (process {running[0].status['pid']}): stop it first.")
    there = _count(url) if is_there(url) else {}
    if any(there.values()) and not force:
        raise BackupError(f"There is a database with {sum(there.values()):,} rows in it. --force replaces it.")
    notes = []
    if backup.kind == "sqlite":
        notes += _restore_sqlite(backup, url, report)
    else:
        compare_rows(backup.rows, count_file(backup.database, report))
        report.say("restoring the dump")
        load_postgresql(backup.database, url)
        compare_rows(backup.rows, _count(url))
    if backup.media:
        _restore_media(backup, config.data_dir / "media", report)
    return [*notes, *_restore_settings(backup, config.data_dir)]


def compare_rows(wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Does nothing when these are the same. Raises BackupError."""
    for table in sorted({*wanted, *found}):
        if wanted.get(table) != found.get(table):
            raise BackupError(
                f"{table}: the backup was made with {wanted.get(table, 'no')} rows,"
                f" {found.get(table, 'none')} came back."
            )


def _restore_sqlite(backup: Backup, url: str, report: Report) -> list[str]:
    path = sqlite_path(url)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.restoring")
    part.unlink(missing_ok=True)
    report.say("copying the database")
    shutil.copyfile(backup.database, part)
    compare_rows(backup.rows, check_sqlite(part))
    part.chmod(0o600)
    notes = []
    if path.exists():
        with connect(url) as connection:
            connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = path.with_name(f"{path.name}.before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
        os.rename(path, aside)
        notes.append(f"The database that was there is {aside} now; remove it when all is well.")
    for left in ("-wal", "-shm"):
        path.with_name(path.name + left).unlink(missing_ok=True)
    os.replace(part, path)
    return notes


def _restore_media(backup: Backup, to: Path, report: Report) -> None:
    report.say("media")
    for place, source in enumerate(list_files(backup.files)):
        target = to / source.relative_to(backup.files)
        # What lies under a name never changes.
        if not target.exists():
            place_file(source, target)
        if place % _TOLD_EVERY == 0:
            report.progress(place, backup.media, "files")
    report.progress(backup.media, backup.media, "files")


def _restore_settings(backup: Backup, data: Path) -> list[str]:
    """Puts back the files that are missing; what is there now led us here and stays."""
    notes = []
    named = find_file(os.environ, None)
    for path in sorted(backup.settings.iterdir()):
        # The file of settings may lie elsewhere; a second one beside the data would only be taken for it.
        target = named if named is not None and named.name == path.name else data / path.name
        if path.name == "environment":
            if path.stat().st_size:
                notes.append(f"Settings that were variables are in {path}.")
        elif not target.exists():
            shutil.copy2(path, target)
            notes.append(f"{target} was put back.")
        elif target.read_bytes() != path.read_bytes():
            notes.append(f"{target} is not as it was: compare it with {path}.")
    return notes


def _check_media(backup: Backup, report: Report) -> None:
    if not backup.media:
        return
    report.say("media")
    sizes = [path.stat().st_size for path in list_files(backup.files)]
    if (len(sizes), sum(sizes)) != (backup.media, backup.media_bytes):
        raise BackupError(
            f"The backup was made with {backup.media} files of media, {backup.media_bytes} bytes;"
            f" now it has {len(sizes)}, {sum(sizes)} bytes."
        )


def _count(url: str) -> dict[str, int]:
    with connect(url) as connection:
        return count_now(connection, list_tables(connection))


def _create_scratch(database_url: str) -> str:
    """The address of a new empty database beside that one; empty when we may not make one."""
    name = f"phiomia_verify_{secrets.token_hex(6)}"
    with connect(database_url) as connection:
        asked = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        if not connection.rows(asked)[0][0]:
            return ""
        connection.rows(f"CREATE DATABASE {name} TEMPLATE template0")
    return urlsplit(database_url)._replace(path=f"/{name}").geturl()


def _drop(database_url: str, scratch: str) -> None:
    with connect(database_url) as connection:
        connection.rows(f"DROP DATABASE {urlsplit(scratch).path[1:]} WITH (FORCE)")
