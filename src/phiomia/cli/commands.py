"""All commands by their names. Each command's module is loaded when it is called for."""

import os
import signal
import sys
from importlib import import_module
from typing import Any

import click

from phiomia.cli.group import Group

# Where each command lives, in the order of the help.
_MODULES = {
    "serve": "phiomia.cli.serve:serve",
    "web": "phiomia.cli.serve:web",
    "worker": "phiomia.cli.serve:worker",
    "streaming": "phiomia.cli.serve:streaming",
    "accounts": "phiomia.cli.accounts:app",
    "reports": "phiomia.cli.reports:app",
    "invites": "phiomia.cli.invites:app",
    "texts": "phiomia.cli.texts:app",
    "trends": "phiomia.cli.trends:app",
    "announcements": "phiomia.cli.announcements:app",
    "tokens": "phiomia.cli.tokens:app",
    "domains": "phiomia.cli.domains:app",
    "relays": "phiomia.cli.relays:app",
    "deliveries": "phiomia.cli.deliveries:deliveries",
    "media": "phiomia.cli.media:app",
    "jobs": "phiomia.cli.jobs:app",
    "config": "phiomia.cli.config:app",
    "doctor": "phiomia.cli.doctor:doctor",
    "backfills": "phiomia.cli.backfills:app",
    "backup": "phiomia.cli.backup:app",
    "releases": "phiomia.cli.releases:releases",
    "upgrade": "phiomia.cli.upgrade:app",
    "step": "phiomia.cli.step:step",
    "health": "phiomia.cli.health:health",
    "ctl": "phiomia.cli.ctl:app",
    "run": "phiomia.cli.run:run",
    "install": "phiomia.cli.install:install",
}

_BROKEN_OFF = 128 + signal.SIGINT


class Commands(Group):
    """Finds commands by their name alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or group of commands, of that name."""
        if cmd_name not in _MODULES:
            return None
        module, _, name = _MODULES[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Runs what was asked for; who breaks it off with Ctrl-C gets the status that shells expect."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print(file=sys.stderr)  # the terminal has written ^C
            sys.exit(_BROKEN_OFF)


def _show_version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from phiomia.platform.version import describe_version

        print(f"phiomia {describe_version()}")
        sys.exit(0)


@click.group("phiomia", cls=Commands, context_settings={"max_content_width": 120})
@click.option("--config", metavar="FILE", help="Settings, instead of <data>/phiomia.toml.")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Print the version."
)
def phiomia(config: str | None, debug: bool) -> None:
    """A social server that speaks Mastodon's client API."""
    # As a variable, the choice reaches the processes that this one starts.
    if config is not None:
        os.environ["PHIOMIA_CONFIG"] = os.path.abspath(config)
