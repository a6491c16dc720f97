"""What a database takes of a statement."""

import msgspec


class Compiled(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """SQL of one database with the order of its parameters, and which of them hold lists."""

    sql: str
    names: tuple[str, ...]
    lists: frozenset[str]
