"""The command `phiomia`: its parser, and the roles."""

import sys
from typing import Annotated

import typer

from phiomia import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """The entry point: child processes of the supervisor go a shorter way."""
    if len(sys.argv) == 3 and sys.argv[1] == "child":
        run_child(sys.argv[2])
        return
    app()


def run_child(role: str) -> None:
    """One process of a role, under the supervisor."""
    from phiomia.app import run_role
    from phiomia.platform.config import load_config

    run_role(load_config(), role)


@app.command()
def serve(
    first_run: Annotated[bool, typer.Option("--first-run", help="Create an owner if nobody is there.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Fill in a small world to look at.")] = False,
) -> None:
    """Run every role under one supervisor."""
    from phiomia.app import run_serve
    from phiomia.platform.config import load_config

    run_serve(load_config(), first_run=first_run, demo=demo)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Phiomia: a social server."""
    if version:
        print(__version__)
