"""An older release starts on a newer expand, and not on a contract that took away what it reads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from schema_world import Migrations, write_history

from phiomia.platform.db import open_database
from phiomia.upgrade import compat, schema
from phiomia.upgrade.compat import Compat, TooOld
from phiomia.upgrade.compat_session import check_session

NEW = "\n    op.create_table('new_things', sa.Column('id', sa.BigInteger(), primary_key=True))\n"


@pytest.mark.parametrize(
    "version", ["0.2.0", "0.2.0.dev0", "0.2.0rc1", "0.2.0dev20261130", "0.2.0+unreleased", "0.10.0"]
)
def test_versions_that_may_run(version: str) -> None:
    compat.refuse_if_too_old(Compat(min_code="0.2.0"), version)
    compat.refuse_if_too_old(Compat(), version)


@pytest.mark.parametrize("version", ["0.1.9", "0.1.0.dev0", "0.1.9+unreleased"])
def test_versions_that_may_not(version: str) -> None:
    with pytest.raises(TooOld, match=r"needs release 0\.2\.0 or later; this is 0\.1") as refused:
        compat.refuse_if_too_old(Compat(min_code="0.2.0"), version)
    assert refused.value.needed_release == "0.2.0"
    assert refused.value.exit_status == 78


def test_the_row_follows_the_schema(database_url: str, tmp_path: Path) -> None:
    def row() -> Compat:
        return asyncio.run(compat.load_compat(database_url))

    assert row() == Compat()
    place = write_history(tmp_path, 1).place
    asyncio.run(schema.upgrade(database_url, place=place))
    assert row() == Compat("e0001", "", "")
    place = write_history(tmp_path, 4, min_code="0.1.0").place
    asyncio.run(schema.apply_expand(database_url, place=place))
    assert row() == Compat("e0003", "", "")
    asyncio.run(schema.apply_contract(database_url, place=place))
    assert row() == Compat("e0003", "c0001", "0.1.0")


def test_half_a_contract_already_keeps_older_releases_away(database_url: str, tmp_path: Path) -> None:
    made = write_history(tmp_path, 3)
    asyncio.run(schema.upgrade(database_url, place=made.place))
    made.add("c0001", '\n    op.execute("ALTER TABLE missing DROP COLUMN anything")\n', min_code="9.0.0")
    with pytest.raises(Exception, match="missing"):
        asyncio.run(schema.apply_contract(database_url, place=made.place))
    with pytest.raises(TooOld):
        asyncio.run(compat.check_start(database_url))


def test_this_release_starts_on_a_newer_expand(migrated_database_url: str, tmp_path: Path) -> None:
    before = _newer(migrated_database_url, tmp_path, min_code="")
    asyncio.run(compat.check_start(migrated_database_url))
    # What a release does at its start: it neither complains of revisions that it does not know nor removes them.
    assert asyncio.run(schema.upgrade(migrated_database_url)) == []
    assert asyncio.run(schema.apply_contract(migrated_database_url)) == []
    assert asyncio.run(schema.current(migrated_database_url)) == before | {"e9999"}
    asyncio.run(_check_open(migrated_database_url))


def test_this_release_refuses_a_newer_contract(migrated_database_url: str, tmp_path: Path) -> None:
    _newer(migrated_database_url, tmp_path, min_code="9.1.0")
    for refused in (compat.check_start, schema.upgrade, schema.apply_expand, schema.apply_contract, _check_open):
        with pytest.raises(TooOld, match=r"needs release 9\.1\.0 or later"):
            asyncio.run(refused(migrated_database_url))  # type: ignore[operator]


def test_commands_end_with_78(migrated_database_url: str, tmp_path: Path) -> None:
    _newer(migrated_database_url, tmp_path, min_code="9.1.0")
    environment = {"PHIOMIA_DATA": str(tmp_path / "data"), "PHIOMIA_DATABASE_URL": migrated_database_url}
    for command in (["serve"], ["child", "worker"], ["accounts", "list"]):
        done = subprocess.run(
            [sys.executable, "-m", "phiomia", *command],
            env={**environment, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 78, done.stderr
        assert "needs release 9.1.0 or later" in done.stderr


def _newer(url: str, folder: Path, min_code: str) -> frozenset[str]:
    """Gives the database a schema that a later release has made; what it was before."""
    before = asyncio.run(schema.current(url))
    made = Migrations(folder / "later")
    for known in sorted(before):
        made.add(known, "\n    pass\n")
    made.add("e9999", NEW, min_code=min_code)
    assert asyncio.run(schema.apply_expand(url, place=made.place)) == ["e9999"]
    return before


async def _check_open(url: str) -> None:
    db = open_database(url)
    await db.start()
    try:
        async with db.read() as session:
            await check_session(session)
    finally:
        await db.close()
