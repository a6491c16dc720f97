"""The command `phiomia`. Each command's module is loaded when it is called for."""

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

ROLES = ("web", "worker", "streaming")
# Errors whose text is all that has to be said; by name, because most commands do without their modules.
_SAID_IN_FULL = ("CommandError", "Unavailable", "TooOld", "SchemaError", "Blocked", "NeedsContract")

# What SQLite says of a file that is as it should be, and what helps.
_FROM_SQLITE = ("Unavailable", "BusyError", "FullError")
_SQLITE = {
    "database is locked": "Another program has held it for too long (`fuser -v` on the file shows which): try again.",
    "database or disk is full": "Make room on the disk and try again.",
}


def main() -> None:
    """Runs the command in `sys.argv`; says in one line what went wrong, with exit status 1 (2: wrong usage)."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    # Nearly all that a command makes are the modules that it loads, among which there is nothing to be found.
    gc.set_threshold(10_000, 10, 10)
    try:
        if len(arguments) == 2 and arguments[0] == "child" and arguments[1] in ROLES:
            # Children of the supervisor live long: the command line's libraries would stay in their memory.
            run_child(arguments[1])
        elif len(arguments) > 1 and arguments[0] == "describe" and set(arguments[1:]) <= set(ROLES):
            describe(tuple(arguments[1:]))
        else:
            build()()
    except Exception as error:
        if debug:
            raise
        _fail(_explain(error), getattr(error, "exit_status", 1))


def run_child(role: str) -> None:
    """One process of a role, as the supervisor starts it."""
    from phiomia.app import run_role
    from phiomia.platform.config import load_config

    run_role(load_config(), role)


def describe(roles: tuple[str, ...]) -> None:
    """What this release wants to run for these roles, asked for by the supervisor of another one."""
    from phiomia.platform.config import load_config
    from phiomia.serving import print_settings

    print_settings(load_config(), roles)


# Where each command lives, in the order of the help.
_MODULES = {
    "serve": "phiomia.cli.serve:serve_app",
    "web": "phiomia.cli.serve:web_app",
    "worker": "phiomia.cli.serve:worker_app",
    "streaming": "phiomia.cli.serve:streaming_app",
    "accounts": "phiomia.cli.accounts:app",
    "reports": "phiomia.cli.reports:app",
    "invites": "phiomia.cli.invites:app",
    "texts": "phiomia.cli.texts:app",
    "trends": "phiomia.cli.trends:app",
    "announcements": "phiomia.cli.announcements:app",
    "tokens": "phiomia.cli.tokens:app",
    "domains": "phiomia.cli.domains:app",
    "relays": "phiomia.cli.relays:app",
    "deliveries": "phiomia.cli.deliveries:app",
    "media": "phiomia.cli.media:app",
    "jobs": "phiomia.cli.jobs:app",
    "config": "phiomia.cli.config:app",
    "doctor": "phiomia.cli.doctor:app",
    "backfills": "phiomia.cli.backfills:app",
    "backup": "phiomia.cli.backup:app",
    "releases": "phiomia.cli.upgrade:releases_app",
    "upgrade": "phiomia.cli.upgrade:app",
    "step": "phiomia.cli.step:app",
    "health": "phiomia.cli.health:app",
    "ctl": "phiomia.cli.ctl:app",
    "run": "phiomia.cli.run:app",
    "install": "phiomia.cli.install:app",
}


def build() -> Any:
    """The Typer application."""
    import typer
    from typer.core import TyperGroup
    from typer.main import get_command

    class Commands(TyperGroup):
        """Finds commands by their name alone."""

        def list_commands(self, ctx: Any) -> list[str]:
            return list(_MODULES)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in _MODULES:
                return None
            module, _, name = _MODULES[cmd_name].partition(":")
            found = getattr(import_module(module), name)
            # Typer adds options for it to each of them, though only the whole could be completed.
            found._add_completion = False
            command = get_command(found)
            command.name = cmd_name
            return command

    app = typer.Typer(
        name="phiomia",
        cls=Commands,
        help="A social server that speaks Mastodon's client API.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def begin(
        config: Annotated[
            str | None, typer.Option(metavar="FILE", help="Settings, instead of <data>/phiomia.toml.")
        ] = None,
        debug: Annotated[bool, typer.Option(help="Show where an error came from.")] = False,
        version: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
        ] = False,
    ) -> None:
        # As a variable, the choice reaches the processes that this one starts.
        if config is not None:
            os.environ["PHIOMIA_CONFIG"] = os.path.abspath(config)

    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from phiomia.platform.version import describe_version

        print(f"phiomia {describe_version()}")
        sys.exit(0)


def _explain(error: Exception) -> str:
    from phiomia.domain.errors import DomainError
    from phiomia.platform.config import ConfigError

    said = str(error)
    for words, mend in _SQLITE.items():
        if words in said and type(error).__name__ in _FROM_SQLITE:
            return f"The database can't be written: {words}. {mend}"
    if isinstance(error, ConfigError | DomainError) or type(error).__name__ in _SAID_IN_FULL:
        return said
    if type(error).__name__ == "Conflict":
        return "Somebody changed the same thing at the same moment. Try again."
    if isinstance(error, ConnectionError):
        return (
            f"Nothing answers where the settings say: {error.strerror or error}. `phiomia doctor` says how to mend it."
        )
    if isinstance(error, OSError) and error.strerror:
        mend = " Let this user have it (chown), or choose another `data`." if isinstance(error, PermissionError) else ""
        return f"{error.filename or 'The system'}: {error.strerror}.{mend}"
    return f"Unforeseen {type(error).__name__}: {error}. `phiomia --debug …` shows where."


def _fail(reason: str, status: int = 1) -> NoReturn:
    print(f"phiomia: {reason}", file=sys.stderr)
    sys.exit(status)
