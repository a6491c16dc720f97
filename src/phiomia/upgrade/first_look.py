"""The first look at a database, by whoever starts or commands something: what is in the way is said to an operator."""

from phiomia.platform.unreachable import explain_unreachable, mend_unreachable
from phiomia.upgrade import schema


async def look_at_schema(database_url: str) -> frozenset[str]:
    """The revisions that the database has; empty for a fresh one.

    Raises Unavailable, which says which database it is and how to mend it.
    """
    try:
        return await schema.current(database_url)
    except _list_causes(database_url) as error:
        from phiomia.platform.db import Unavailable  # which loads what a start does without

        what, mend = explain_unreachable(database_url, error), mend_unreachable(database_url)
        raise Unavailable(what, mend) from error


def _list_causes(database_url: str) -> tuple[type[Exception], ...]:
    if database_url.startswith("sqlite:"):
        from phiomia.platform import sqlite_failures  # each needs one driver only

        return sqlite_failures.UNREACHABLE
    from phiomia.platform import postgresql_failures

    return postgresql_failures.UNREACHABLE
