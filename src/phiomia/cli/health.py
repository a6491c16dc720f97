"""`phiomia health`: which processes of this machine live, and which of them can serve."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

from phiomia.cli.options import AS_JSON
from phiomia.platform.config import Config, load_config
from phiomia.platform.health import health_folder
from phiomia.platform.health_client import GONE, ask_all, find_peers

ROLES = ("web", "worker", "streaming")


class State(NamedTuple):
    """How one process is; the pid is 0 for one that should be there and is not."""

    role: str
    pid: int
    alive: bool
    ready: bool
    reason: str = ""


@click.command()
@click.option("--role", multiple=True, metavar="ROLE", help="Expect this role only: web, worker or streaming.")
@AS_JSON
def health(role: tuple[str, ...], as_json: bool) -> None:
    """Show which processes live and can serve. Exit status 1 when one can't, or when one is missing."""
    wanted = tuple(role or ROLES)
    unknown = set(wanted) - set(ROLES)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: a role is web, worker or streaming.")
    states = asyncio.run(look(load_config(), wanted))
    (_print_json if as_json else _print_table)(states)
    sys.exit(0 if all(state.ready for state in states) else 1)


async def look(config: Config, roles: Sequence[str] = ROLES) -> list[State]:
    """How each process of the roles is; those that the settings want and that are not there come last."""
    peers = [peer for peer in find_peers(health_folder(config)) if peer.role in roles]
    alive, ready = await asyncio.gather(ask_all(peers, "/health"), ask_all(peers, "/health/ready"))
    found = [
        State(peer.role, peer.pid, life.status == 200, answer.status == 200, "" if answer.good else answer.text)
        for (peer, life), (_, answer) in zip(alive, ready, strict=True)
        # What a killed process left behind; or it ended this moment.
        if life.status != GONE and answer.status != GONE
    ]
    return [*found, *_find_missing(config, roles, found)]


def _find_missing(config: Config, roles: Iterable[str], found: Iterable[State]) -> list[State]:
    there = Counter(state.role for state in found)
    return [
        State(role, 0, False, False, "is not running")
        for role in roles
        for _ in range(getattr(config.processes, role) - there[role])
    ]


def _print_json(states: Sequence[State]) -> None:
    import msgspec

    told = {
        "ready": all(state.ready for state in states),
        "processes": [{**state._asdict(), "pid": state.pid or None} for state in states],
    }
    print(msgspec.json.format(msgspec.json.encode(told)).decode())


def _print_table(states: Sequence[State]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("role", "process", "alive", "ready", "why not"):
        table.add_column(column, justify="right" if column == "process" else "left")
    for state in states:
        table.add_row(state.role, str(state.pid or "-"), _tell(state.alive), _tell(state.ready), state.reason)
    Console(markup=False, highlight=False).print(table)


def _tell(yes: bool) -> str:
    return "yes" if yes else "NO"
