"""`phiomia backfills`: what upgrades have left to be filled in, and how far that is."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

if TYPE_CHECKING:
    from phiomia.cli.open import Open
    from phiomia.upgrade.backfills import Progress

app = typer.Typer(name="backfills", help="What upgrades have left to be filled in.", invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Only these.")]


@app.callback(invoke_without_command=True)
def list_backfills(context: typer.Context, as_json: AsJson = False) -> None:
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
def run_now(
    ids: Ids = None,
    again: Annotated[bool, typer.Option("--again", help="From the beginning, also what is done.")] = False,
) -> None:
    """Do now what is not done, instead of leaving it to the workers. May be interrupted at any time."""
    from phiomia.backfills import BACKFILLS
    from phiomia.cli.open import run
    from phiomia.upgrade import backfills

    known = {one.id: one for one in BACKFILLS}
    if unknown := [id_ for id_ in ids or () if id_ not in known]:
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
