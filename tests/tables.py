"""Databases with tables and no rows, as the first start makes them."""

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
    """Makes them in an empty database."""
    from phiomia.platform.settings import Config, Database  # only some tests need what is loaded by this
    from phiomia.serving import bring_up_schema

    asyncio.run(bring_up_schema(Config(database=Database(url=url))))


@cache
def file_with_tables() -> Path:
    """One of SQLite, to be copied; made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="phiomia-", dir=find_scratch()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "tables.sqlite3"
    make_tables(f"sqlite:///{file}")
    close_log(file)
    return file


def close_log(path: Path) -> None:
    """Lets a copy of the file alone be the whole database."""
    connection = apsw.Connection(str(path))
    connection.pragma("wal_checkpoint(TRUNCATE)")
    connection.close()
