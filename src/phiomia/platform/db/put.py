"""The statement that writes a row whether or not there is one already."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Table

from phiomia.platform.db.query import Query, column_parameter


def put_into(table: Table, keys: Sequence[str], columns: Sequence[str], *, once: Sequence[str] = ()) -> Query:
    """Writes a row, in place of what stands in `columns` where one with the same `keys` is there.

    Each value is a parameter of the column's name. What is in `once` only a new row gets.
    """

    def build(insert: Callable[[Table], Any]) -> Any:
        values = {name: column_parameter(table, name) for name in (*once, *keys, *columns)}
        statement = insert(table).values(values)
        changed = {name: statement.excluded[name] for name in columns}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    return Query(build)
