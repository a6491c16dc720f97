"""What follows a change that a command makes.

Loading it costs as much as the rest of a command, and most commands record no event. The first event ends its
transaction instead, so that nobody waits for the database meanwhile: the verb runs again when everything is loaded.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TypeVar

from phiomia.platform.db import Database, WriteSession
from phiomia.platform.events import Event, SideEffects

T = TypeVar("T")


class _NotLoaded(Exception):
    """An event asked for what follows it, for the first time."""


class FollowUp(Mapping[type[Event], SideEffects]):
    """The table of side effects, for one database."""

    def __init__(self, db: Database) -> None:
        """Lets verbs run again that need the table."""
        self._table: Mapping[type[Event], SideEffects] | None = None
        self._write_once = db.write
        db.write = self._write  # type: ignore[method-assign]

    async def _write(self, verb: Callable[[WriteSession], Awaitable[T]]) -> T:
        try:
            return await self._write_once(verb)
        except _NotLoaded:
            from phiomia.side_effects import SIDE_EFFECTS

            self._table = SIDE_EFFECTS
        return await self._write_once(verb)

    def _loaded(self) -> Mapping[type[Event], SideEffects]:
        if self._table is None:
            raise _NotLoaded
        return self._table

    def __getitem__(self, kind: type[Event]) -> SideEffects:
        return self._loaded()[kind]

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())
