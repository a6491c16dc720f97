"""The first look at a database: what is in the way is told to an operator, and a mistake of ours is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import asyncpg
import pytest

from phiomia.platform.db import Unavailable
from phiomia.upgrade import schema
from phiomia.upgrade.first_look import look_at_schema


def test_it_gives_the_revisions(migrated_database_url: str) -> None:
    assert "e0001" in asyncio.run(look_at_schema(migrated_database_url))


def test_it_sees_that_a_database_is_fresh(database_url: str) -> None:
    assert asyncio.run(look_at_schema(database_url)) == frozenset()


def test_what_is_no_database_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no database " * 2_000)
    (tmp_path / "folder").mkdir()
    for name in ("broken", "folder", "broken/within"):
        with pytest.raises(Unavailable, match=r"can't be reached.* To mend it, let this user read") as told:
            asyncio.run(look_at_schema(f"sqlite:///{tmp_path / name}"))
        assert told.value.mend.startswith("let this user read")


def test_a_server_that_is_not_there_is_told_with_what_to_do() -> None:
    for place in ("127.0.0.1:1", "nowhere.invalid"):
        with pytest.raises(Unavailable, match=r"someone:\*\*\*\*@.* can't be reached.* To mend it, start the database"):
            asyncio.run(look_at_schema(f"postgresql://someone:secret@{place}/phiomia"))


def test_a_server_that_does_not_let_us_in_is_told(postgresql_url: str) -> None:
    scheme, _, rest = postgresql_url.partition("://")
    place = rest.rpartition("@")[2]
    for url in (f"{scheme}://nobody-at-all:secret@{place}", postgresql_url.partition("?")[0] + "-which-is-not-there"):
        with pytest.raises(Unavailable, match="can't be reached"):
            asyncio.run(look_at_schema(url))


@pytest.mark.parametrize(
    "mistake", [TypeError("a wrong argument"), apsw.SQLError("no such column"), asyncpg.UndefinedColumnError("none")]
)
def test_a_mistake_of_ours_is_not_taken_for_a_database_that_is_away(
    database_url: str, mistake: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_url: str) -> frozenset[str]:
        raise mistake

    monkeypatch.setattr(schema, "current", fail)
    with pytest.raises(type(mistake)) as told:
        asyncio.run(look_at_schema(database_url))
    assert told.value is mistake
