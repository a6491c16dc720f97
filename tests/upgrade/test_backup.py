"""Backups that can be brought back, on both databases."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from phiomia import __version__
from phiomia.platform.config import Config, load_config
from phiomia.platform.locks import is_locked
from phiomia.upgrade import schema
from phiomia.upgrade.backup import Backup, create_backup, list_backups, make_backup
from phiomia.upgrade.backup_database import BackupError, count_now
from phiomia.upgrade.database import connect, sqlite_path
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.restore import restore_backup, verify_backup

REPORT = PlainReport()
_ROW = "INSERT INTO upgrade_ledger (step_id, release, how, started_at, finished_at, user_name, host) VALUES"


@pytest.fixture
def config(migrated_database_url: str, tmp_path: Path) -> Config:
    """A server with two rows, a setting, a secret and a picture."""
    data = tmp_path / "data"
    picture = data / "media" / "a" / "b" / "picture.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"picture")
    (data / "phiomia.toml").write_text('[instance]\ntitle = "Before"\n')
    (data / "secret.key").write_text("hush")
    add(migrated_database_url, "one@1", "two@1")
    return load_config({"PHIOMIA_DATA": str(data), "PHIOMIA_DATABASE_URL": migrated_database_url})


def add(url: str, *steps: str) -> None:
    """Adds rows."""
    with connect(url) as connection:
        for step in steps:
            connection.rows(f"{_ROW} (?, '0.1.0', 'upgrade', 1, 2, 'a\nb', 'h')", step)


def rows(url: str) -> int:
    with connect(url) as connection:
        return count_now(connection, ("upgrade_ledger",)).get("upgrade_ledger", -1)


@pytest.fixture
def backup(config: Config, tmp_path: Path) -> Backup:
    """A backup of that server."""
    return create_backup(tmp_path / "backups", config, REPORT, media=True)


def test_everything_comes_back(config: Config, backup: Backup, tmp_path: Path) -> None:
    url = config.database_url
    assert backup.rows["upgrade_ledger"] == 2 and backup.rows["accounts"] == 0
    assert (backup.settings / "phiomia.toml").exists() and (backup.settings / "secret.key").read_text() == "hush"
    assert not {path.stat().st_mode & 0o077 for path in (backup.path, backup.database, *backup.settings.iterdir())} - {
        0
    }
    assert backup.media == 1 and list_backups(tmp_path / "backups") == [backup]
    verify_backup(backup, url, REPORT)

    add(url, "three@1")
    (config.data_dir / "secret.key").unlink()
    (config.data_dir / "media" / "a" / "b" / "picture.png").unlink()
    with pytest.raises(BackupError, match="--force"):
        restore_backup(backup, config, REPORT, force=False)
    assert rows(url) == 3
    # What a later release has added goes, too.
    with connect(url) as connection:
        connection.rows("CREATE TABLE later (id bigint)")
    notes = restore_backup(backup, config, REPORT, force=True)
    assert rows(url) == 2
    with connect(url) as connection:
        assert not connection.has_table("later")
    assert asyncio.run(schema.list_missing(url)) == []
    assert (config.data_dir / "secret.key").read_text() == "hush"
    assert (config.data_dir / "media" / "a" / "b" / "picture.png").read_bytes() == b"picture"
    assert any("secret.key was put back" in note for note in notes)
    verify_backup(backup, url, REPORT)


def test_into_an_empty_place_without_force(backup: Backup, database_url: str, tmp_path: Path) -> None:
    if (sqlite_path(database_url) is None) == (backup.kind == "sqlite"):
        return
    config = load_config({"PHIOMIA_DATA": str(tmp_path / "elsewhere"), "PHIOMIA_DATABASE_URL": database_url})
    (tmp_path / "elsewhere").mkdir()
    restore_backup(backup, config, REPORT, force=False)
    assert rows(database_url) == 2
    assert (tmp_path / "elsewhere" / "phiomia.toml").exists()


def test_what_is_damaged_is_noticed(config: Config, backup: Backup) -> None:
    url = config.database_url
    told = json.loads((backup.path / "BACKUP.json").read_text())
    with pytest.raises(BackupError, match="upgrade_ledger"):
        verify_backup(backup._replace(rows={**told["rows"], "upgrade_ledger": 5}), url, REPORT)
    (backup.files / "a" / "b" / "picture.png").unlink()
    with pytest.raises(BackupError, match="media"):
        verify_backup(backup, url, REPORT)
    content = backup.database.read_bytes()
    backup.database.write_bytes(content[: len(content) // 2])
    with pytest.raises(Exception, match=r"(?i)malformed|damaged|read|brought back|could not"):
        verify_backup(backup._replace(media=0), url, REPORT)
    # A dump that breaks off changes nothing.
    if backup.kind == "postgresql":
        with pytest.raises(BackupError):
            restore_backup(backup, config, REPORT, force=True)
        assert rows(url) == 2


def test_a_fresh_one_is_used_again(config: Config, tmp_path: Path) -> None:
    places = Places(tmp_path / "live", tmp_path / "app")
    first = make_backup(places, config, REPORT)
    assert not first.media and not first.reused
    assert make_backup(places, config, REPORT).path == first.path
    with connect(config.database_url) as connection:
        connection.rows("DELETE FROM schema_revisions WHERE revision = 'e0009'")
    assert make_backup(places, config, REPORT).path != first.path


def test_settings_that_lie_elsewhere_get_no_second_file(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "shared" / "phiomia.toml"
    settings.parent.mkdir()
    (config.data_dir / "phiomia.toml").rename(settings)
    monkeypatch.setenv("PHIOMIA_CONFIG", str(settings))
    backup = create_backup(tmp_path / "backups", config, REPORT, media=False)
    restore_backup(backup, config, REPORT, force=True)
    assert not (config.data_dir / settings.name).exists()
    settings.write_text("# another")
    notes = restore_backup(backup, config, REPORT, force=True)
    assert any(note.startswith(f"{settings} is not as it was") for note in notes), notes


def test_who_is_started_meanwhile_waits(config: Config, backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = str(config.data_dir / "run" / "prepare.lock")
    seen: list[bool] = []
    report = PlainReport()
    monkeypatch.setattr(report, "say", lambda _words: seen.append(is_locked(lock)))
    restore_backup(backup, config, report, force=True)
    assert seen and all(seen) and not is_locked(lock)


def test_it_is_of_the_release_that_serves(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade is carried out by the release that it leads to, which is not the one to start after going back."""
    releases = tmp_path / "app" / "releases"
    for version in ("7.0.0", "7.1.0"):
        path = releases / f"{version}-{'0' * 12}"
        path.mkdir(parents=True)
        (path / "RELEASE.json").write_text(json.dumps({"version": version, "commit": "0" * 40}))
    (tmp_path / "app" / "current").symlink_to(releases / f"7.0.0-{'0' * 12}")
    monkeypatch.setattr(sys, "prefix", str(path / "venv"))
    made = create_backup(tmp_path / "backups", config, REPORT, media=False)
    told = json.loads((made.path / "BACKUP.json").read_text())
    assert (made.version, told["version"], told["made_by"]) == ("7.0.0", "7.0.0", __version__)


def test_the_command(config: Config, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PHIOMIA_DATA": str(config.data_dir),
        "PHIOMIA_DATABASE_URL": config.database_url,
        "PHIOMIA_APP": str(tmp_path / "nowhere"),
        "PHIOMIA_INSTANCE_TITLE": "By variable",
    }

    def phiomia(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "phiomia", "backup", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    made = json.loads(phiomia("create", "--json").stdout)
    path = Path(made["path"])
    assert path.parent == config.data_dir / "backups"
    assert 'PHIOMIA_INSTANCE_TITLE="By variable"' in (path / "settings" / "environment").read_text()
    assert "is good" in phiomia("verify").stdout
    assert str(path) in phiomia("list").stdout
    refused = phiomia("restore", str(path))
    assert refused.returncode == 1 and "--force replaces it" in refused.stderr
    assert phiomia("restore", str(path), "--force").returncode == 0
    assert "no finished backup" in phiomia("restore", str(tmp_path)).stderr
