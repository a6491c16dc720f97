"""The schema's history in two Alembic branches: `expand` only adds, `contract` removes what has no reader.

`HEADS` lets a process see without importing Alembic whether the database is up to date; a test
compares it with the files.
"""

HEADS = frozenset({"e0003"})
