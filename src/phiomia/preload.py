"""Loads what all roles need, with every statement as SQL only."""

import importlib

from phiomia.platform.db.statement import compiled_when_made


def preload(database: str) -> bool:
    """Loads the roles and commands for a database, `sqlite` or `postgresql`.

    For a process that is copied then, and for the build of a release, which keeps the SQL that is made here. Nothing
    that holds a statement may be loaded before: each copy would compile it anew. True when all SQL was made and kept,
    so that a process that loads anew finds it.
    """
    with compiled_when_made(database) as kept:
        importlib.import_module("phiomia.app").load_roles(database)
        importlib.import_module("phiomia.cli.main")
    return kept.is_new
