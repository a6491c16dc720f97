"""Backs the server up while it serves: its database, its settings and, when asked to, its media.

A backup is a directory; BACKUP.json comes last and says what is in it. It counts only when what was written has been
read again. Bringing one back is `restore.py`.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from phiomia import __version__
from phiomia.platform.config import SHORT_NAMES, Config, find_file, variables
from phiomia.upgrade.backup_database import MARKER, BackupError, check_tools, count_now, save_database
from phiomia.upgrade.build import read_release
from phiomia.upgrade.database import connect, sqlite_path
from phiomia.upgrade.installed import running_release
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import Report

FORMAT = 1
FRESH_S = 15 * 60
MARK = "BACKUP.json"
_NAME = "phiomia-"
_SETTINGS = "settings"
_MEDIA = "media"
_TOLD_EVERY = 200


class Backup(NamedTuple):
    """A backup: its directory, when it was made, of which release, how many rows each table has in it."""

    path: Path
    at: float
    version: str
    kind: str
    rows: Mapping[str, int]
    media: int
    media_bytes: int
    of: str
    reused: bool = False

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.path / ("database.sqlite3" if self.kind == "sqlite" else "database.dump")

    @property
    def settings(self) -> Path:
        """The directory of settings and secrets."""
        return self.path / _SETTINGS

    @property
    def files(self) -> Path:
        """The directory of media."""
        return self.path / _MEDIA


def make_backup(places: Places, config: Config, report: Report) -> Backup:
    """A backup for an upgrade, which touches no media: a fresh one if there is one. Raises BackupError."""
    fresh = _find_fresh(backup_folder(places), config.database_url)
    if fresh is not None:
        report.say(f"{fresh.path} is {(time.time() - fresh.at) / 60:.0f} min old and verified: that one will do")
        return fresh
    made = create_backup(backup_folder(places), config, report, media=False)
    report.say(f"{made.path}, {made.database.stat().st_size / 1024**2:,.1f} MB of database, read again")
    return made


def create_backup(folder: Path, config: Config, report: Report, *, media: bool) -> Backup:
    """A new backup in a directory of its own below the folder. Raises BackupError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _name(folder)
    path.mkdir(mode=0o700)
    url = config.database_url
    at = time.time()
    kind = "sqlite" if sqlite_path(url) else "postgresql"
    made = Backup(path, at, _find_version(), kind, {}, 0, 0, describe(url))
    try:
        made = made._replace(rows=save_database(url, made.database, report))
        _save_settings(config, made.settings)
        if media:
            files, size = _save_media(config, made.files, report)
            made = made._replace(media=files, media_bytes=size)
        _write_mark(made)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return made


def backup_folder(places: Places) -> Path:
    """Where backups lie."""
    return places.shared / "backups"


def list_backups(folder: Path) -> list[Backup]:
    """The finished backups in a folder, the oldest first."""
    found = [read_backup(path) for path in sorted(folder.glob(f"{_NAME}*"))] if folder.is_dir() else []
    return [one for one in found if one is not None]


def read_backup(path: Path) -> Backup | None:
    """The backup in a directory; None when none was finished there. Raises BackupError."""
    try:
        told: dict[str, Any] = json.loads((path / MARK).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    if told["format"] > FORMAT:
        maker = told.get("made_by", told["version"])
        raise BackupError(f"{path} was made by {maker}, which writes backups in a newer way: use that one.")
    names = ("at", "version", "kind", "rows", "media", "media_bytes", "of")
    return Backup(path, *(told[name] for name in names))


def how_to_restore(path: Path) -> str:
    """The command that goes back to a backup, for people."""
    return f"stop the server, then: phiomia backup restore {path} --force"


def describe(database_url: str) -> str:
    """Which database that is, without its password."""
    parts = urlsplit(database_url)
    return f"{parts.hostname or ''}:{parts.port or ''}{parts.path}"


def place_file(source: Path, to: Path) -> None:
    """Puts a file that never changes elsewhere: as a link, which costs no room, or else as a copy."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)


def list_files(folder: Path) -> Iterator[Path]:
    """What is stored below a folder, without what is being written."""
    for inside, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(inside) / name for name in names)


def _find_version() -> str:
    """The release that serves: before an upgrade changes anything, its own release asks for a backup."""
    ours = running_release()
    current = read_release(ours.parents[1] / "current") if ours else None
    return current.version if current else __version__


def _name(folder: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for number in range(100):
        path = folder / f"{_NAME}{stamp}{f'-{number}' if number else ''}"
        if not path.exists():
            break
    return path


def _find_fresh(folder: Path, database_url: str) -> Backup | None:
    for backup in reversed(list_backups(folder)):
        if time.time() - backup.at < FRESH_S and backup.of == describe(database_url) and backup.database.exists():
            with connect(database_url) as connection:
                # One from before the last migration would bring back more than what is asked for now.
                if backup.rows.get(MARKER) == count_now(connection, (MARKER,)).get(MARKER):
                    return backup._replace(reused=True)
    return None


def _save_settings(config: Config, to: Path) -> None:
    """Keeps the files of settings and secrets, and the variables that are settings."""
    to.mkdir(mode=0o700)
    database = sqlite_path(config.database_url)
    data = config.data_dir
    own = [path for path in data.iterdir() if path.is_file() and not path.name.startswith(".")] if data.is_dir() else []
    named = find_file(os.environ, None)
    for path in {*own, *([named] if named else [])}:
        if database is None or not path.name.startswith(database.name):
            shutil.copy2(path, to / path.name)
    known = {*variables(), *SHORT_NAMES}
    lines = [f"{name}={json.dumps(os.environ[name])}\n" for name in sorted(known & set(os.environ))]
    (to / "environment").write_text("".join(lines), "utf-8")
    for path in to.iterdir():
        path.chmod(0o600)


def _save_media(config: Config, to: Path, report: Report) -> tuple[int, int]:
    root = config.data_dir / "media"
    if config.media.storage != "disk":
        report.say(f"media in the bucket {config.media.s3_bucket} are not copied: let the object store keep versions")
    report.say("media")
    sources = list(list_files(root))
    count = size = 0
    for place, source in enumerate(sources):
        try:
            place_file(source, to / source.relative_to(root))
        except FileNotFoundError:
            continue  # deleted since: the database may still name it, as it may on a server
        count += 1
        size += source.stat().st_size if source.exists() else 0
        if place % _TOLD_EVERY == 0:
            report.progress(place, len(sources), "files")
    report.progress(len(sources), len(sources), "files")
    return count, size


def _write_mark(made: Backup) -> None:
    told = {
        "format": FORMAT,
        "made_by": __version__,
        **{name: value for name, value in made._asdict().items() if name not in ("path", "reused")},
    }
    temporary = made.path / f".{MARK}"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, made.path / MARK)


__all__ = [
    "FRESH_S",
    "MARK",
    "Backup",
    "BackupError",
    "backup_folder",
    "check_tools",
    "create_backup",
    "describe",
    "how_to_restore",
    "list_backups",
    "list_files",
    "make_backup",
    "place_file",
    "read_backup",
]
