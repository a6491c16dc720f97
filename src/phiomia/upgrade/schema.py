"""Moves the schema: `expand` adds what this release needs, `contract` removes what no release needs any more.

Every statement stands alone, so that nobody waits long for one, and is recorded with its own transaction: what was
broken off goes on behind the last one that was done. Only an empty database gets everything in one transaction.
How a statement is run differs: see `schema_postgresql.py` and `schema_sqlite.py`.
"""

from collections.abc import Sequence
from pathlib import Path

from phiomia.migrations import EXPAND_HEADS
from phiomia.upgrade.migrator import Blocked, Migrator, NeedsContract, Patience, Report, SchemaError, State
from phiomia.upgrade.min_code import Compat, newest, refuse_if_too_old
from phiomia.upgrade.revisions import PLACE, Branch, Revision, list_names, render, scripts
from phiomia.upgrade.schema_connect import open_migrator
from phiomia.upgrade.statements import shorten

# Below that nobody has to be told.
_LONG_S = 1.0


async def upgrade(database_url: str, *, report: Report | None = None, place: Path | None = None) -> list[str]:
    """Makes the database fit for this release; gives the revisions that were applied. Safe to call twice at once.

    An empty database gets the newest schema, any other what `expand` lacks. Raises TooOld, SchemaError.
    """
    return await _move(database_url, "upgrade", report, place, Patience())


async def apply_expand(
    database_url: str,
    *,
    report: Report | None = None,
    place: Path | None = None,
    patience: Patience = Patience(),  # noqa: B008 (immutable)
) -> list[str]:
    """Adds what this release needs, while others work; gives the revisions. Raises TooOld, SchemaError."""
    return await _move(database_url, "expand", report, place, patience)


async def apply_contract(
    database_url: str,
    *,
    report: Report | None = None,
    place: Path | None = None,
    patience: Patience = Patience(),  # noqa: B008 (immutable)
) -> list[str]:
    """Removes what nobody needs once every process runs this release; gives the revisions.

    From its first statement on no release before the contract's `MIN_CODE` may start. Raises TooOld, SchemaError.
    """
    return await _move(database_url, "contract", report, place, patience)


async def current(database_url: str) -> frozenset[str]:
    """The revisions that the database has; empty for a fresh one."""
    return (await read_state(database_url)).revisions


async def read_state(database_url: str) -> State:
    """What the migrator has written down in the database."""
    async with open_migrator(database_url) as migrator:
        return await migrator.read()


async def list_missing(database_url: str, *, place: Path = PLACE) -> list[str]:
    """The names of the revisions that this release has and the database lacks, those that only add first."""
    done = (await read_state(database_url)).revisions
    return [name for name in list_names(place) if name not in done]


async def _move(
    database_url: str, what: str, report: Report | None, place: Path | None, patience: Patience
) -> list[str]:
    async with open_migrator(database_url) as migrator:
        state = await migrator.read()
        refuse_if_too_old(state.compat)
        if what != "contract" and place is None and state.compat.expand_head and state.revisions >= EXPAND_HEADS:
            return []
        await migrator.lock(patience)
        # Another may have done it all while this one waited.
        state = await migrator.read()
        refuse_if_too_old(state.compat)
        missing = render(migrator.dialect, state.revisions, place or PLACE)
        if what == "upgrade" and not state.revisions:
            await migrator.apply_at_rest(missing, _compat_after(state.compat, missing))
            return [one.id for one in missing]
        if state.revisions and not state.compat.expand_head:
            # Made before there was such a row.
            state = state._replace(compat=Compat(expand_head=max(state.revisions)))
            await migrator.write_compat(state.compat)
        branch: Branch = "contract" if what == "contract" else "expand"
        chosen = [one for one in missing if one.branch == branch]
        _check_needs(chosen, state.revisions)
        _check_backfills(chosen, await migrator.done_backfills())
        return await _apply_live(migrator, chosen, state.compat, patience, report or _say_nothing)


async def _apply_live(
    migrator: Migrator, revisions: Sequence[Revision], compat: Compat, patience: Patience, report: Report
) -> list[str]:
    for revision in revisions:
        raised = compat._replace(min_code=newest(compat.min_code, revision.min_code))
        if raised != compat:
            # Half a contract already is too much for the release before it.
            await migrator.write_compat(raised)
        seconds = await _estimate(migrator, revision)
        if seconds >= _LONG_S:
            alone = ", in which nobody else can write" if migrator.dialect == "sqlite" else ""
            report(f"{revision.id} takes about {seconds:.0f} s{alone}")
        done = await migrator.done(revision.id)
        for number, statement in enumerate(revision.statements, 1):
            if statement.digest not in done:
                report(f"{revision.id}, {number} of {len(revision.statements)}: {shorten(statement.sql)}")
                await migrator.run(revision.id, statement, patience, report)
        compat = _compat_after(raised, [revision])
        await migrator.finish(revision.id, compat)
    return [revision.id for revision in revisions]


def _compat_after(compat: Compat, revisions: Sequence[Revision]) -> Compat:
    for one in revisions:
        head = {f"{one.branch}_head": one.id}
        compat = compat._replace(min_code=newest(compat.min_code, one.min_code), **head)
    return compat


def _check_needs(chosen: Sequence[Revision], done: frozenset[str]) -> None:
    there = set(done)
    for revision in chosen:
        lacking = sorted(revision.needs - there)
        if lacking and revision.branch == "expand":
            raise NeedsContract(
                f"{revision.id} builds on {', '.join(lacking)}, which a release before this one has to apply:"
                " `phiomia upgrade plan` shows the way."
            )
        if lacking:
            raise SchemaError(
                f"{revision.id} comes after {', '.join(lacking)}, which is not applied yet: expand first."
            )
        there.add(revision.id)


def _check_backfills(chosen: Sequence[Revision], done: frozenset[str]) -> None:
    for revision in chosen:
        if lacking := sorted(set(revision.backfills) - done):
            raise SchemaError(
                f"{revision.id} would remove what {', '.join(lacking)} has not filled in elsewhere yet:"
                " `phiomia backfills run` does it now."
            )


async def _estimate(migrator: Migrator, revision: Revision) -> float:
    """How many seconds the tables that a revision works through will take."""
    counted = [(await migrator.count_rows(table), per_s) for table, per_s in revision.cost.items() if per_s]
    return sum(rows / per_s for rows, per_s in counted)


def _say_nothing(_line: str) -> None:
    """For who wants no report."""


__all__ = [
    "Blocked",
    "NeedsContract",
    "Patience",
    "Report",
    "SchemaError",
    "State",
    "apply_contract",
    "apply_expand",
    "current",
    "list_missing",
    "read_state",
    "scripts",
    "upgrade",
]
