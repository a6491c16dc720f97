"""How a command ends that can't do what it shall."""

import sys
from typing import NoReturn

import click


def fail(reason: str, status: int = 1) -> NoReturn:
    """Says why on standard error and ends the command with that status."""
    print(reason, file=sys.stderr, flush=True)
    raise click.exceptions.Exit(status)
