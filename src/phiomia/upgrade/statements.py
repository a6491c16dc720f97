"""One statement of a migration: how it has to be run, and by what it is known when the migration goes on later."""

import hashlib
import re
from typing import Literal, NamedTuple

Kind = Literal["short", "long", "make-index", "drop-index"]

_MAKE_INDEX = re.compile(r'CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF NOT EXISTS\s+)?"?(\w+)"?\s', re.I)
_DROP_INDEX = re.compile(r'DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF EXISTS\s+)?"?(\w+)"?', re.I)
_LONG = re.compile(r"\bVALIDATE\s+CONSTRAINT\b", re.I)
_CONCURRENTLY = re.compile(r"(\bINDEX)\s+CONCURRENTLY\b", re.I)


class Statement(NamedTuple):
    """SQL with the way it is run.

    A short one takes a lock that stops others, so it may wait for that only briefly. A long one lets others go on.
    Indexes that are made or dropped concurrently can't stand in a transaction; `index_name` is theirs.
    """

    sql: str
    kind: Kind = "short"
    index_name: str = ""

    @property
    def digest(self) -> str:
        """By what it is known when a migration that was broken off goes on."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:32]

    @property
    def at_rest(self) -> str:
        """The SQL for a database that nobody uses yet, where everything is one transaction."""
        return _CONCURRENTLY.sub(r"\1", self.sql)


def read_statement(sql: str) -> Statement:
    """The statement, with the way it has to be run."""
    if made := _MAKE_INDEX.match(sql):
        return Statement(sql, "make-index", made[1])
    if dropped := _DROP_INDEX.match(sql):
        return Statement(sql, "drop-index", dropped[1])
    return Statement(sql, "long" if _LONG.search(sql) else "short")


def shorten(sql: str, length: int = 90) -> str:
    """The statement in one line, for people."""
    line = " ".join(sql.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
