"""The command `phiomia`. Each command's module is loaded when it is called for."""

import gc
import sys
from typing import NoReturn

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
            from phiomia.cli.commands import phiomia

            phiomia()
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
