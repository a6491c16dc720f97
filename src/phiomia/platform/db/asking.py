"""What a session makes of the rows that its database gives, on both alike."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from phiomia.platform.db.session import Row
from phiomia.platform.db.statement import Query

T = TypeVar("T")


class Asking(ABC):
    """The half of a ReadSession that no driver minds."""

    __slots__ = ()

    @abstractmethod
    async def all(self, query: Query, **parameters: Any) -> Sequence[Row]:
        """Every row."""

    @abstractmethod
    async def one(self, query: Query, **parameters: Any) -> Row | None:
        """The first row, or None."""

    async def value(self, query: Query, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = await self.one(query, **parameters)
        return None if row is None else row[0]

    async def column(self, query: Query, **parameters: Any) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in await self.all(query, **parameters)]

    async def view(self, kind: Callable[..., T], query: Query, **parameters: Any) -> T | None:
        """`kind(*row)` for the first row, or None."""
        row = await self.one(query, **parameters)
        return None if row is None else kind(*row)

    async def views(self, kind: Callable[..., T], query: Query, **parameters: Any) -> list[T]:
        """`kind(*row)` for every row."""
        return [kind(*row) for row in await self.all(query, **parameters)]
