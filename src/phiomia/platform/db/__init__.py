"""The database: SQLite and PostgreSQL as equals, statements in SQLAlchemy Core, run on the bare drivers.

Begin with `statement.py` (a statement, compiled once), then `session.py` (what verbs and queries get),
`sqlite.py` and `postgresql.py` (how each runs). The edge opens, the domain never commits:

    status_id = await db.write(lambda session: create_status(session, draft))
    async with db.read() as session:
        status = await load_status(session, status_id)

A verb may run twice (PostgreSQL repeats it after a deadlock) and must not await anything but its
session: on SQLite it runs on the writer's thread, several of them in one transaction.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from phiomia.platform.db.errors import Conflict, TooSlow, Unavailable
from phiomia.platform.db.session import Database, ReadSession, WriteSession
from phiomia.platform.db.statement import Query

if TYPE_CHECKING:
    from phiomia.platform.db.put import put_into
    from phiomia.platform.db.query import P, any_of, insert_into, listed
    from phiomia.platform.db.tables import metadata

__all__ = [
    "Conflict",
    "Database",
    "P",
    "Query",
    "ReadSession",
    "TooSlow",
    "Unavailable",
    "WriteSession",
    "any_of",
    "insert_into",
    "listed",
    "metadata",
    "open_database",
    "put_into",
]


# What loads SQLAlchemy. Who only has SQL by hand, as most commands of an upgrade, takes half as long without.
_WHERE = {
    "P": "query",
    "any_of": "query",
    "insert_into": "query",
    "listed": "query",
    "metadata": "tables",
    "put_into": "put",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def open_database(url: str, **options: object) -> Database:
    """The database behind `url`; `start()` connects it. Options: see `SqliteDatabase`, `PostgresqlDatabase`."""
    if url.startswith("sqlite:"):
        from phiomia.platform.db.sqlite import SqliteDatabase  # each role loads one driver only

        return SqliteDatabase(url, **options)  # type: ignore[arg-type]
    from phiomia.platform.db.postgresql import PostgresqlDatabase

    return PostgresqlDatabase(url, **options)  # type: ignore[arg-type]
