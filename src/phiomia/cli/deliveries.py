"""`phiomia deliveries`: what became of a status on its way to other servers."""

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from phiomia.domain.peers.receipts import Receipt

_NUMBER = re.compile(r"([0-9]{1,19})/?\Z")


@click.command()
@click.argument("status", metavar="STATUS", help="Its id or its address.")
@click.option("--all", "every", is_flag=True, help="List also the servers that have it.")
def deliveries(status: str, every: bool) -> None:
    """Show how many servers have a status, and why others have not."""
    from rich.console import Console
    from rich.table import Table

    from phiomia.cli.open import CommandError, Open, run
    from phiomia.domain.peers.receipts import DeliveryState, load_receipts
    from phiomia.domain.statuses.recipients import is_status
    from phiomia.platform.clock import iso

    match = _NUMBER.search(status)
    if match is None:
        raise CommandError(f"{status!r} is neither the id of a status nor its address.")
    status_id = int(match[1])

    async def work(opened: Open) -> "list[Receipt]":
        async with opened.db.read() as session:
            if not await is_status(session, status_id):
                raise CommandError(f"There is no status {status_id}.")
            return await load_receipts(session, status_id)

    receipts = run(work)
    counts = {state: sum(one.state == state for one in receipts) for state in DeliveryState}
    said = ", ".join(f"{count} {state.word}" for state, count in counts.items() if count)
    print(f"{len(receipts)} inboxes: {said}" if receipts else "It was sent to no other server.")
    shown = [one for one in receipts if every or one.state != DeliveryState.REACHED]
    if not shown:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("server", "state", "attempts", "since", "why"):
        table.add_column(column, overflow="fold")
    for one in shown:
        word, since = DeliveryState(one.state).word, iso(one.updated_at)
        table.add_row(one.host, word, str(one.attempts), since, one.last_error)
    Console(markup=False, highlight=False).print(table)
