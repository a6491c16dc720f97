"""`python -m phiomia`."""

import os
import sys


def be_template(database: str) -> None:
    """Loads everything and is copied by the supervisor for each child; returns in the copies."""
    from phiomia.platform.template import wait_to_be_copied
    from phiomia.preload import preload

    if preload(database):
        # Making SQL leaves the memory scattered, by a tenth of what the server takes. A fresh process only reads it.
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 (this program)
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
