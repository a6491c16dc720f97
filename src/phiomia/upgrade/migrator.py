"""What moves the schema of one database, whichever that is, and what may come of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from phiomia.upgrade.min_code import Compat
from phiomia.upgrade.revisions import Revision
from phiomia.upgrade.statements import Statement

Report = Callable[[str], None]


class SchemaError(Exception):
    """The schema can't be moved: why, and what to do about it."""


class Blocked(SchemaError):
    """A statement did not get its turn within its time. What came before it stays done; ask again later."""


class NeedsContract(SchemaError):
    """An expand builds on a contract that has not been applied: an upgrade has to stop at a release between."""


class Patience(NamedTuple):
    """How long a statement waits for its turn. Others are held up for no longer than `lock_ms` at a time."""

    lock_ms: int = 75
    statement_s: float = 10.0
    long_statement_s: float = 6 * 3600.0
    budget_s: float = 600.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0
    turn_s: float = 600.0  # for another migrator


class State(NamedTuple):
    """What the migrator has written down."""

    revisions: frozenset[str] = frozenset()
    compat: Compat = Compat()


class Migrator(Protocol):
    """A connection that moves the schema of one database."""

    dialect: str

    async def read(self) -> State:
        """What was done so far."""
        ...

    async def lock(self, patience: Patience) -> None:
        """Waits until no other migrator is at work and makes its own tables. Raises Blocked."""
        ...

    async def apply_at_rest(self, revisions: Sequence[Revision], compat: Compat) -> None:
        """Everything in one transaction, for a database that nobody uses yet."""
        ...

    async def done(self, revision: str) -> frozenset[str]:
        """The digests of the statements of a revision that was broken off."""
        ...

    async def run(self, revision: str, statement: Statement, patience: Patience, report: Report) -> None:
        """Runs a statement and writes down that it was. Raises Blocked."""
        ...

    async def write_compat(self, compat: Compat) -> None:
        """Writes down how far the schema is."""
        ...

    async def finish(self, revision: str, compat: Compat) -> None:
        """Writes down that a revision is complete."""
        ...

    async def done_backfills(self) -> frozenset[str]:
        """The ids of the backfills that are done."""
        ...

    async def count_rows(self, table: str) -> int:
        """About how many rows a table has; 0 when there is none of that name."""
        ...

    async def close(self) -> None:
        """Ends the connection, and with it the lock."""
        ...
