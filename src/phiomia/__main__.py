"""`python -m phiomia`."""

import importlib
import os
import sys


def be_template(database: str) -> None:
    """Loads everything and is copied by the supervisor for each child; returns in the copies."""
    from phiomia.platform.db.query import compiled_when_made
    from phiomia.platform.template import wait_to_be_copied

    # Nothing that holds a statement may be loaded before: each copy would compile it anew.
    with compiled_when_made(database):
        from phiomia.app import load_roles

        load_roles(database)
        importlib.import_module("phiomia.cli.main")
    sys.argv[1:] = ["child", wait_to_be_copied()]


def run_command() -> None:
    """Runs the command line."""
    from phiomia.cli.main import main

    main()


if len(sys.argv) == 3 and sys.argv[1] == "template":
    be_template(sys.argv[2])
    run_command()
    # Taking down the interpreter would write to every object, and so copy all that is shared, to throw it away.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
run_command()
