"""`phiomia ctl`: what the running server does, and a reload or restart of it that says what became of it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from phiomia.cli.open import CommandError
from phiomia.platform import control
from phiomia.platform.config import load_config
from phiomia.platform.orders import RELOAD, RESTART

app = typer.Typer(no_args_is_help=True, help="Control the running server: reload, restart, status.")

ROLES = ("web", "worker", "streaming")
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="Only this role: web, worker or streaming. May be repeated."),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome.")]
Limit = Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait at most.")]


@app.command()
def reload(role: Roles = None, wait: Wait = True, limit: Limit = 180.0) -> None:
    """Replace the processes by those of the current release without losing a request. Exit status 1 if refused."""
    _order(RELOAD, role, wait, limit)


@app.command()
def restart(role: Roles = None, wait: Wait = True, limit: Limit = 180.0) -> None:
    """End the processes, then start those of the current release; requests wait meanwhile. Exit status 1 if refused."""
    _order(RESTART, role, wait, limit)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
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


def _order(how: str, roles: list[str] | None, wait: bool, limit_s: float) -> None:
    unknown = set(roles or ()) - set(ROLES)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: a role is web, worker or streaming.")
    wanted = roles or None
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
