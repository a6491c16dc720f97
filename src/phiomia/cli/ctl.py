"""`phiomia ctl`: what the running server does, and a reload or restart of it that says what became of it."""

import sys
from pathlib import Path
from typing import Any

import click

from phiomia.cli.group import Group
from phiomia.cli.open import CommandError
from phiomia.cli.options import AS_JSON
from phiomia.platform import control
from phiomia.platform.config import load_config
from phiomia.platform.orders import RELOAD, RESTART

app = Group(help="Control the running server: reload, restart, status.")

ROLES = ("web", "worker", "streaming")
ONLY = click.option(
    "--role", multiple=True, metavar="ROLE", help="Only this role: web, worker or streaming. May be repeated."
)
WAIT = click.option("--wait/--no-wait", default=True, help="Wait for the outcome.")
LIMIT = click.option(
    "--limit", default=180.0, show_default=True, type=float, metavar="SECONDS", help="How long to wait at most."
)


@app.command()
@ONLY
@WAIT
@LIMIT
def reload(role: tuple[str, ...], wait: bool, limit: float) -> None:
    """Replace the processes by those of the current release without losing a request. Exit status 1 if refused."""
    _order(RELOAD, role, wait, limit)


@app.command()
@ONLY
@WAIT
@LIMIT
def restart(role: tuple[str, ...], wait: bool, limit: float) -> None:
    """End the processes, then start those of the current release; requests wait meanwhile. Exit status 1 if refused."""
    _order(RESTART, role, wait, limit)


@app.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show the supervisors and their processes. Exit status 1 when none runs."""
    found = control.find_supervisors(_run_dir())
    if as_json:
        _print_json([each.status for each in found])
    elif not found:
        raise CommandError(f"No server runs on {_run_dir()}.")
    else:
        for each in found:
            _print_status(each.status)
    sys.exit(0 if found else 1)


def _order(how: str, roles: tuple[str, ...], wait: bool, limit_s: float) -> None:
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: a role is web, worker or streaming.")
    wanted = list(roles) or None
    if not wait:
        outcome = control.ask(_run_dir(), how, wanted)
    else:
        outcome = (control.restart if how == RESTART else control.reload)(_run_dir(), wanted, limit_s)
    if not outcome.ok:
        raise CommandError(f"{how} refused: {outcome.reason}.")


def _run_dir() -> Path:
    return load_config().data_dir / "run"


def _print_json(statuses: list[dict[str, Any]]) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode({"supervisors": statuses})).decode())


def _print_status(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False, soft_wrap=True)
    reason = f" ({told['reason']})" if told["reason"] else ""
    console.print(f"supervisor {told['pid']}: {told['state']}, generation {told['generation']}{reason}")
    table = Table(box=None, pad_edge=False)
    for column in ("role", "process", "state", "generation", "version", "interpreter"):
        table.add_column(column, overflow="fold")
    for child in told["children"]:
        place = (child["role"], str(child["pid"]), child["state"], str(child["generation"]))
        table.add_row(*place, child["version"], child["python"])
    console.print(table)
