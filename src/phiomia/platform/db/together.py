"""Several questions in one statement: a round trip for all of them, where each on its own would take one.

    _WHOLE = Together({"rows": select(…), "media": select(…)})
    found = await _WHOLE.ask(session, ids=ids)
    found["rows"], found["media"]

Parameters of one name are the same for all parts. Rows come in the order of their select, as lists; what a
database has as text stays text, and truth is 0 and 1 on SQLite, as elsewhere. A part that finds nothing costs some
microseconds, so one statement with parts that are not always needed is cheaper than a second.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, Text, select
from sqlalchemy.sql import functions, visitors

from phiomia.platform.db.functions import sql_function
from phiomia.platform.db.query import Query
from phiomia.platform.db.session import ReadSession

_decode = msgspec.json.Decoder(list[list[Any]]).decode
_AGGREGATES = (functions.count, functions.max, functions.min, functions.sum)


json_of_rows = sql_function(
    "rows",  # it stands in the text as a label of every part
    sqlite="json_group_array(json_array({all}))",
    postgresql="json_agg(json_build_array({all}))",
    kind=Text(),
)
"""`json_of_rows(*columns)`: all rows of a select as one array of arrays."""

strings_of = sql_function(
    "strings_of",
    sqlite="json_each({0})",
    postgresql="json_array_elements_text(CAST({0} AS json))",
    kind=Text(),
)
"""`strings_of(column).table_valued("value")`: the strings of a JSON array in a column, as a table."""

numbers_of = sql_function(
    "numbers_of",
    sqlite="json_each({0})",
    postgresql="json_each_text(CAST({0} AS json))",
    kind=Text(),
)
"""`numbers_of(P("known", str)).table_valued("key", "value")`: a JSON object of numbers, both columns to be cast."""


class Together:
    """A statement made of selects; gives the rows of each under its name."""

    __slots__ = ("_names", "_query")

    def __init__(self, parts: Mapping[str, Select[Any]]) -> None:
        self._names = tuple(parts)
        # Made when it is asked: a start makes none of those whose SQL is kept.
        self._query = Query(lambda _insert: select(*[_as_column(part).label(name) for name, part in parts.items()]))

    def text(self, dialect: str) -> str:
        """The statement as a database gets it."""
        return (self._query.for_sqlite() if dialect == "sqlite" else self._query.for_postgresql()).sql

    async def ask(self, session: ReadSession, **parameters: Any) -> dict[str, list[list[Any]]]:
        """The rows of every part."""
        row = await session.one(self._query, **parameters)
        assert row is not None  # it selects from nothing, which gives one row
        return {name: _decode(rows) if rows else [] for name, rows in zip(self._names, row, strict=True)}


def _as_column(part: Select[Any]) -> Any:
    if _is_plain(part):
        # Without a select around it the text is half as long, which is what SQLite's driver minds.
        return part.with_only_columns(json_of_rows(*part.selected_columns)).scalar_subquery()
    rows = part.subquery()
    return select(json_of_rows(*rows.c)).select_from(rows).scalar_subquery()


def _is_plain(part: Select[Any]) -> bool:
    """Whether its rows are what meets its conditions, in any order."""
    more = (part._order_by_clauses, part._group_by_clauses, part._having_criteria)
    if any(more) or part._distinct or part._has_row_limiting_clause:
        return False
    return not any(isinstance(one, _AGGREGATES) for column in part.selected_columns for one in visitors.iterate(column))
