"""`phiomia backfills`: what upgrades have left to be filled in, and how far that is."""

import sys
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from phiomia.cli.group import Group
from phiomia.cli.options import AS_JSON

if TYPE_CHECKING:
    from phiomia.cli.open import Open
    from phiomia.upgrade.backfills import Progress

IDS = click.argument("ids", nargs=-1, metavar="[ID]…", help="Only these.")


@click.group("backfills", cls=Group, invoke_without_command=True)
@click.pass_context
@AS_JSON
def app(context: click.Context, as_json: bool) -> None:
    """Show every backfill with its state and the rows that are done. Workers do them by themselves."""
    if context.invoked_subcommand is not None:
        return
    from phiomia.cli.open import run

    listed = run(_load)
    if as_json:
        print(msgspec.json.encode([one._asdict() for one in listed]).decode())
        return
    for one in listed:
        print(f"{one.id:<40} {one.state:<8} {one.rows_done:>12,} of {one.rows_total:,} rows  {one.error}".rstrip())
    if not listed:
        print("There is nothing to fill in.")


@app.command("run")
@IDS
@click.option("--again", is_flag=True, help="From the beginning, also what is done.")
def run_now(ids: tuple[str, ...], again: bool) -> None:
    """Do now what is not done, instead of leaving it to the workers. May be interrupted at any time."""
    from phiomia.backfills import BACKFILLS
    from phiomia.cli.open import run
    from phiomia.upgrade import backfills

    known = {one.id: one for one in BACKFILLS}
    if unknown := [id_ for id_ in ids if id_ not in known]:
        _fail(f"There is no backfill {', '.join(unknown)}; there is {', '.join(known) or 'none'}.")
    chosen = [known[id_] for id_ in ids] if ids else list(BACKFILLS)

    async def work(opened: "Open") -> bool:
        if again:
            for one in chosen:
                await opened.db.write(lambda session, id_=one.id: backfills.restart(session, id_))  # type: ignore[misc]
        return await backfills.run(opened.db, chosen, lambda line: print(line, flush=True))

    try:
        complete = run(work)
    except backfills.Failed as error:
        _fail(str(error))
    if not complete:
        _fail("Another process is at it: `phiomia backfills` shows how far it is.")


async def _load(opened: "Open") -> "list[Progress]":
    from phiomia.backfills import BACKFILLS
    from phiomia.upgrade import backfills

    async with opened.db.read() as session:
        listed = await backfills.progress(session)
    begun = {one.id for one in listed}
    waiting = [backfills.Progress(one.id, "waiting", 0, 0, 0, None, None, "") for one in BACKFILLS]
    return [*listed, *(one for one in waiting if one.id not in begun)]


def _fail(reason: str) -> NoReturn:
    print(f"phiomia: {reason}", file=sys.stderr)
    sys.exit(1)
