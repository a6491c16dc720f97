"""Copies the journal into the database, where it is backed up and other machines can see it."""

import json

from phiomia.upgrade.database import connect, is_there
from phiomia.upgrade.journal import Journal

TABLE = "upgrade_journal"
_ADD = f"""
    INSERT INTO {TABLE} (plan_id, position, at, kind, entry) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (plan_id, position) DO NOTHING
"""  # noqa: S608 (the table's name is ours)
_LAST = f"SELECT max(position) FROM {TABLE} WHERE plan_id = ?"  # noqa: S608


def mirror_journal(journal: Journal, database_url: str) -> None:
    """Adds the entries that the database lacks; does nothing before it has the table."""
    if not is_there(database_url):
        return
    with connect(database_url) as connection:
        if not connection.has_table(TABLE):
            return
        last = connection.rows(_LAST, journal.id)[0][0]
        for entry in journal.entries[0 if last is None else int(last) + 1 :]:
            text = json.dumps(entry, ensure_ascii=False)
            connection.rows(_ADD, journal.id, entry["n"], int(entry["at"] * 1000), entry["kind"], text)
