"""Which app people signed up with: while both releases work, and after the backfill."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from phiomia.backfills import BACKFILLS
from phiomia.domain.oauth.apps import draft_app, register_app
from phiomia.domain.oauth.tokens import issue_token
from phiomia.domain.users.create import UserDraft, create_user
from phiomia.domain.users.queries import load_user
from phiomia.platform.db import Database, Query, WriteSession, open_database
from phiomia.upgrade import backfills, schema
from phiomia.upgrade.revisions import PLACE

# As the release before writes it.
_OLD_WAY = Query.raw(sqlite="UPDATE users SET invited_with_app = :name WHERE id = :id")


@pytest.fixture
def before(database_url: str, tmp_path: Path) -> str:
    """The URL of a database as the release before has it."""
    place = tmp_path / "migrations"
    shutil.copytree(PLACE, place, ignore=_later)
    (place / "contract").mkdir(exist_ok=True)
    asyncio.run(schema.upgrade(database_url, place=place))
    return database_url


def _later(_folder: str, names: list[str]) -> list[str]:
    """Migrations of the release that brought the column, and of those after it."""
    return [
        name for name in names if name.startswith(("c0", "__pycache__")) or (name >= "e0011" and name.endswith(".py"))
    ]


def test_those_who_were_there_are_filled_in(before: str) -> None:
    assert "e0011" in asyncio.run(schema.apply_expand(before))

    async def work(db: Database) -> None:
        apps = [await _register(db, name) for name in ("Tusky", "Tusky", "Ivory")]
        with_token = await _sign_up(db, "token", old_app="Tusky", token_of=apps[0])
        by_name = await _sign_up(db, "name", old_app="Ivory")
        unknown = await _sign_up(db, "gone", old_app="Nobody's")
        without = await _sign_up(db, "none")
        new = await _sign_up(db, "new", app_id=apps[2])
        assert await backfills.run(db, BACKFILLS)
        found = [await _app_of(db, one) for one in (with_token, by_name, unknown, without, new)]
        assert found == [apps[0], apps[2], None, None, apps[2]]

    _with(before, work)


def test_the_name_goes_when_everybody_is_filled_in(before: str) -> None:
    asyncio.run(schema.apply_expand(before))
    with pytest.raises(schema.SchemaError, match="app-of-users@1"):
        asyncio.run(schema.apply_contract(before))

    async def fill(db: Database) -> None:
        assert await backfills.run(db, BACKFILLS)

    _with(before, fill)
    assert "c0001" in asyncio.run(schema.apply_contract(before))

    async def work(db: Database) -> None:
        app_id = await _register(db, "Tusky")
        assert await _app_of(db, await _sign_up(db, "after", app_id=app_id)) == app_id
        assert await backfills.run(db, BACKFILLS)

    _with(before, work)


def _with(url: str, work: object) -> None:
    async def opened() -> None:
        db = open_database(url)
        await db.start()
        try:
            await work(db)  # type: ignore[operator]
        finally:
            await db.close()

    asyncio.run(opened())


async def _register(db: Database, name: str) -> int:
    draft = draft_app(name, ["urn:ietf:wg:oauth:2.0:oob"])
    return (await db.write(lambda session: register_app(session, draft))).id


async def _sign_up(
    db: Database, name: str, *, old_app: str = "", token_of: int | None = None, app_id: int | None = None
) -> int:
    async def write(session: WriteSession) -> int:
        draft = UserDraft(name, f"{name}@example.org", "hash", app_id=app_id)
        user_id = (await create_user(session, draft)).user_id
        if old_app:
            await session.execute(_OLD_WAY, id=user_id, name=old_app)
        if token_of is not None:
            await issue_token(session, app_id=token_of, user_id=user_id, scopes="read")
        return user_id

    return await db.write(write)


async def _app_of(db: Database, user_id: int) -> int | None:
    async with db.read() as session:
        return (await load_user(session, user_id)).created_by_app_id
