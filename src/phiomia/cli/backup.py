"""`phiomia backup`: copies of the server, the proof that they are good, and the way back to one."""

import json
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from phiomia.cli.bars import show_bars
from phiomia.cli.group import Group
from phiomia.cli.options import AS_JSON
from phiomia.platform.config import Config, load_config
from phiomia.platform.unreachable import hide_password
from phiomia.upgrade.backup import Backup, backup_folder, create_backup, list_backups, read_backup
from phiomia.upgrade.backup_database import BackupError
from phiomia.upgrade.places import find_places
from phiomia.upgrade.restore import restore_backup, verify_backup

app = Group(
    "backup",
    help="Back up database, settings and media, prove that it is good, bring it back.",
)

WHICH = click.argument(
    "backup",
    required=False,
    type=click.Path(path_type=Path),
    metavar="[BACKUP]",
    help="The directory; the newest one unless given.",
)
THERE = click.argument("backup", type=click.Path(path_type=Path), metavar="BACKUP", help="The directory of the backup.")
TO = click.option(
    "--to", type=click.Path(path_type=Path), metavar="DIR", help="Where backups lie, unless beside the releases."
)


@app.command()
@TO
@click.option("--media/--no-media", default=True, help="With or without what people uploaded.")
@AS_JSON
def create(to: Path | None, media: bool, as_json: bool) -> None:
    """Back up while the server runs, and read what was written again."""
    config = load_config()
    try:
        with show_bars() as report:
            made = create_backup(_folder(config, to), config, report, media=media)
    except BackupError as error:
        _fail(str(error))
    print(json.dumps(_json(made), indent=2) if as_json else _describe(made))


@app.command("list")
@TO
@AS_JSON
def list_all(to: Path | None, as_json: bool) -> None:
    """List the backups, the oldest first."""
    try:
        found = list_backups(_folder(load_config(), to))
    except BackupError as error:
        _fail(str(error))
    if as_json:
        print(json.dumps([_json(one) for one in found], indent=2))
        return
    print("\n".join(map(_describe, found)) or "There is no backup yet: phiomia backup create")


@app.command()
@WHICH
@TO
def verify(backup: Path | None, to: Path | None) -> None:
    """Restore a backup into an empty place, compare the rows of every table, and throw that away again."""
    config = load_config()
    try:
        chosen = _open(backup) if backup else _newest(config, to)
        with show_bars() as report:
            how = verify_backup(chosen, config.database_url, report)
    except BackupError as error:
        _fail(str(error))
    print(f"{chosen.path} is good: {_contents(chosen)}; {how}.")


@app.command()
@THERE
@click.option("--force", is_flag=True, help="Replace the database that is there.")
def restore(backup: Path, force: bool) -> None:
    """Bring a backup back to where the settings say. The server must not run; a database with rows is refused."""
    config = load_config()
    try:
        chosen = _open(backup)
        with show_bars() as report:
            notes = restore_backup(chosen, config, report, force=force)
    except BackupError as error:
        _fail(str(error))
    print(f"{hide_password(config.database_url)} has {_contents(chosen)} again, of {_date(chosen.at)}.")
    print("\n".join([*notes, f"It is of release {chosen.version}: start that one or a later one."]))


def _folder(config: Config, to: Path | None) -> Path:
    places = find_places()
    return to or (backup_folder(places) if places.installed else config.data_dir / "backups")


def _open(path: Path) -> Backup:
    found = read_backup(path)
    if found is None:
        raise BackupError(f"{path} is no finished backup.")
    return found


def _newest(config: Config, to: Path | None) -> Backup:
    found = list_backups(_folder(config, to))
    if not found:
        raise BackupError("There is no backup yet: phiomia backup create")
    return found[-1]


def _describe(backup: Backup) -> str:
    return f"{backup.path}  {_date(backup.at)}  {backup.version}  {_contents(backup)}"


def _contents(backup: Backup) -> str:
    media = f" and {backup.media:,} files ({backup.media_bytes / 1024**2:,.1f} MB)" if backup.media else ""
    return f"{sum(backup.rows.values()):,} rows in {len(backup.rows)} tables{media}"


def _json(backup: Backup) -> dict[str, object]:
    return {**backup._asdict(), "path": str(backup.path), "database": str(backup.database)}


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _fail(reason: str) -> NoReturn:
    print(f"phiomia: {reason}", file=sys.stderr)
    sys.exit(1)
