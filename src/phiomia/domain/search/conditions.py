"""Conditions that searches share."""

from sqlalchemy import BigInteger, ColumnElement, and_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.users.models import users
from phiomia.platform.db.functions import sql_function

matches = sql_function("matches", sqlite="{0} MATCH {1}", postgresql="{0} @@ CAST({1} AS tsquery)")
"""`matches(table.c.body, P("match", str))`: the index's own condition, in the language of `words.write_match`."""

unindexed = sql_function("unindexed", sqlite="{0}", postgresql="({0} + 0)", kind=BigInteger())
"""`unindexed(table.c.rowid)`: the column as it is, in a condition that PostgreSQL is not to use an index for.

Bounds usually let everything through. PostgreSQL, which plans without knowing them, would read the whole range; FTS5
needs them to begin in the right place.
"""


def is_shown() -> ColumnElement[bool]:
    """An account may be found."""
    waiting = select(users.c.id).where(
        users.c.account_id == accounts.c.id, or_(users.c.confirmed_at.is_(None), users.c.approved_at.is_(None))
    )
    return and_(
        accounts.c.state != AccountState.SUSPENDED,
        accounts.c.moved_to_id.is_(None),
        ~waiting.correlate(accounts).exists(),
    )
