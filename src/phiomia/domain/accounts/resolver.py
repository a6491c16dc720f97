"""The port through which the domain asks for accounts it does not know; federation fulfils it."""

from collections.abc import Iterable
from typing import Protocol


class RemoteResolver(Protocol):
    """Finds accounts of other servers."""

    async def resolve_handles(self, handles: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Ids of the accounts behind (user name, domain); those that can't be found are left out."""
        ...


class NobodyElse:
    """A server that talks to no other."""

    async def resolve_handles(self, handles: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Nobody."""
        return {}
