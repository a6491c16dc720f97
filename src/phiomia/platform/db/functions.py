"""Functions of SQL that each database spells in its own way."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeEngine


def sql_function(
    name: str, *, sqlite: str, postgresql: str, kind: TypeEngine[Any] | None = None
) -> type[GenericFunction[Any]]:
    """A function that becomes these texts; in them {0}, {1}, … are its arguments, and {all} is their list."""
    members: dict[str, Any] = {"name": name, "inherit_cache": True}
    if kind is not None:
        members["type"] = kind
    made: type[GenericFunction[Any]] = type(name, (GenericFunction,), members)
    for dialect, text in (("sqlite", sqlite), ("postgresql", postgresql)):
        _spell(made, dialect, text)
    return made


def _spell(made: type[GenericFunction[Any]], dialect: str, text: str) -> None:
    @compiles(made, dialect)
    def spell(element: GenericFunction[Any], compiler: Any, **kw: Any) -> str:
        given = [compiler.process(one, **kw) for one in element.clauses]
        return text.format(*given, all=", ".join(given))
