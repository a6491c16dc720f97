"""What an upgrade keeps to itself, and what it must not."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

import phiomia
from phiomia.platform.db import WriteSession, open_database
from phiomia.platform.events import append_stream
from phiomia.upgrade.lock import Locked, hold_database

# Where it is wrong nobody is answered before the upgrade ends.
PATIENCE_S = 30.0


def test_people_write_while_an_upgrade_holds_the_database(migrated_database_url: str) -> None:
    """Others may not upgrade it meanwhile."""

    async def write(session: WriteSession) -> None:
        await append_stream(session, "probe", {"n": 1})

    async def post() -> None:
        db = open_database(migrated_database_url)
        await db.start()
        try:
            await asyncio.wait_for(db.write(write), PATIENCE_S)
        finally:
            await db.close()

    with hold_database(migrated_database_url):
        asyncio.run(post())
        with pytest.raises(Locked, match="Another upgrade"), hold_database(migrated_database_url):
            pass


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    """All of them belong to one database, whoever takes them."""
    sources = Path(phiomia.__file__).parent.rglob("*.py")
    code = "\n".join(re.sub(r"#.*", "", path.read_text("utf-8")) for path in sources)
    numbers = Counter(found.replace("_", "") for found in re.findall(r"\b7_?417_?\d{3}\b", code))
    assert len(numbers) >= 4
    assert set(numbers.values()) == {1}, numbers
