"""Databases with tables, before and after the first start of a server."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import apsw

from scratch import find_scratch


def make_tables(url: str) -> None:
    """Makes them in an empty database, and no rows."""
    from phiomia.upgrade import schema  # only some tests need what is loaded by this

    asyncio.run(schema.upgrade(url))


def begin(url: str) -> None:
    """Does with an empty database what the first start does."""
    from phiomia.platform.settings import Config, Database
    from phiomia.serving import bring_up_schema

    asyncio.run(bring_up_schema(Config(database=Database(url=url))))


@cache
def file_as_started() -> Path:
    """One of SQLite after the first start, to be copied; made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="phiomia-", dir=find_scratch()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "begun.sqlite3"
    begin(f"sqlite:///{file}")
    close_log(file)
    return file


def close_log(path: Path) -> None:
    """Lets a copy of the file alone be the whole database."""
    connection = apsw.Connection(str(path))
    connection.pragma("wal_checkpoint(TRUNCATE)")
    connection.close()
