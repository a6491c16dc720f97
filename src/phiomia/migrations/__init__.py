"""The schema's history in two Alembic branches: `expand` only adds, `contract` removes what has no reader.

`HEADS` lets a process see without importing Alembic whether the database is up to date; a test
compares it with the files. What this release can't do without are those of `expand` alone.
"""

HEADS = frozenset({"e0016", "c0001"})
# Columns, as `table.column`, that no code knows any more and a contract to come will remove.
AWAITING_CONTRACT = frozenset({"peers.knock", "peers.seen_at", "peers.shared_inbox", "peers.software"})
EXPAND_HEADS = frozenset(head for head in HEADS if head.startswith("e"))
