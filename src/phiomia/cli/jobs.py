"""`phiomia jobs`: what waits, what has died, and what to do about it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from phiomia.cli.fail import fail
from phiomia.cli.group import Group
from phiomia.cli.options import AS_JSON
from phiomia.platform.clock import iso
from phiomia.platform.config import ConfigError, load_config

if TYPE_CHECKING:
    from phiomia.platform.db import Database, WriteSession
    from phiomia.platform.jobs.view import DeadJob, QueueCounts

T = TypeVar("T")
_SCAN_SECONDS = 60.0

ALL = click.option("--all", "all_", is_flag=True, help="Every dead job.")
DEAD_ID = click.argument(
    "id_", required=False, type=int, metavar="[ID]", help="Which one; `phiomia jobs dead` lists them."
)


@click.group("jobs", cls=Group, invoke_without_command=True)
@click.pass_context
def app(context: click.Context) -> None:
    """Background jobs: what waits, what has died. Alone it shows the counts."""
    if context.invoked_subcommand is None:
        context.invoke(counts)


@app.command()
@AS_JSON
def counts(as_json: bool) -> None:
    """Show how many jobs of each queue are due, wait for their time, or run."""
    queues, dead = _with_database(_count)
    if as_json:
        _print_json({"queues": [queue._asdict() for queue in queues], "dead": dead})
        return
    rows = [
        (queue.queue, str(queue.ready), str(queue.delayed), str(queue.running), _show_wait(queue)) for queue in queues
    ]
    _print_table(["queue", "ready", "delayed", "running", "oldest waits"], rows, right=range(1, 5))
    print(f"{dead} dead" + (" (phiomia jobs dead)" if dead else ""))


@app.command()
@click.option("--before", type=int, help="Only those with a smaller id: the next page.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1, max=1_000), help="How many.")
@AS_JSON
def dead(before: int | None, limit: int, as_json: bool) -> None:
    """List jobs that have used up their attempts, the youngest first."""
    jobs = _with_database(lambda db: _find_dead(db, before, limit))
    if as_json:
        _print_json([{**job._asdict(), "id": str(job.id), "args": msgspec.Raw(job.args.encode())} for job in jobs])
        return
    rows = [(str(job.id), job.type, job.args, str(job.attempt), iso(job.died_at), job.error) for job in jobs]
    if not jobs:
        print("No job has died." if before is None else "No older ones have died.")
        return
    _print_table(["id", "type", "arguments", "attempts", "died", "error"], rows, right=[3])
    if len(jobs) == limit:
        print(f"More: phiomia jobs dead --before {jobs[-1].id}")


@app.command()
@DEAD_ID
@ALL
@AS_JSON
def retry(id_: int | None, all_: bool, as_json: bool) -> None:
    """Put a dead job, or all of them, back into the queue with all its attempts."""
    from phiomia.platform.jobs.view import retry_dead, retry_some_dead

    _report("retried", _change(id_, all_, retry_dead, retry_some_dead), as_json)


@app.command()
@DEAD_ID
@ALL
@AS_JSON
def discard(id_: int | None, all_: bool, as_json: bool) -> None:
    """Forget a dead job, or all of them, for good."""
    from phiomia.platform.jobs.view import discard_dead, discard_some_dead

    _report("discarded", _change(id_, all_, discard_dead, discard_some_dead), as_json)


async def _count(db: "Database") -> "tuple[list[QueueCounts], int]":
    from phiomia.platform.jobs.view import count_dead, count_jobs

    return await db.scan(count_jobs, _SCAN_SECONDS), await db.scan(count_dead, _SCAN_SECONDS)


async def _find_dead(db: "Database", before: int | None, limit: int) -> "list[DeadJob]":
    from phiomia.platform.jobs.view import find_dead

    async with db.read() as session:
        return await find_dead(session, before=before, limit=limit)


def _change(
    id_: int | None,
    all_: bool,
    change_one: "Callable[[WriteSession, int], Awaitable[bool]]",
    change_some: "Callable[[WriteSession], Awaitable[int]]",
) -> int:
    if (id_ is None) is not all_:
        fail("Say which: an id, or --all.", 2)
    if id_ is None:
        return _with_database(lambda db: _change_all(db, change_some))
    if not _with_database(lambda db: db.write(lambda session: change_one(session, id_))):
        fail(f"There is no dead job {id_}.", 1)
    return 1


async def _change_all(db: "Database", change_some: "Callable[[WriteSession], Awaitable[int]]") -> int:
    total = 0
    while changed := await db.write(change_some):  # in steps, so that nobody waits long for the writer
        total += changed
    return total


def _with_database(work: "Callable[[Database], Awaitable[T]]") -> T:
    from phiomia.cli.open import CommandError, require_schema
    from phiomia.platform.db import Unavailable, open_database

    async def run() -> T:
        config = load_config()
        await require_schema(config)
        db = open_database(config.database_url)
        await db.start()
        try:
            return await work(db)
        finally:
            await db.close()

    try:
        return asyncio.run(run())
    except (CommandError, ConfigError, Unavailable) as error:
        fail(str(error), 1)


def _report(what: str, count: int, as_json: bool) -> None:
    if as_json:
        _print_json({what: count})
    else:
        print(f"{count} {what}.")


def _print_json(value: Any) -> None:
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place in right else "left", no_wrap=place == 0)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


def _show_wait(queue: "QueueCounts") -> str:
    seconds = queue.oldest_ready_ms // 1000
    if not queue.ready:
        return "-"
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"
