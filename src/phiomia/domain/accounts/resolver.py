"""The port to what other servers know: who looks for somebody unknown asks here. Fulfilled by the federation."""

from typing import Literal, Protocol


class Lookup(Protocol):
    """Finds accounts and statuses of other servers and stores them; gives None for what can't be had in time."""

    async def account(self, handle: str) -> int | None:
        """The account of user@domain."""
        ...

    async def address(self, url: str) -> tuple[Literal["account", "status"], int] | None:
        """What is at an address."""
        ...

    async def refresh(self, uri: str) -> None:
        """Asks for a known status again, if its server answers in time."""
        ...


class NoLookup:
    """Knows nobody: for a server that is alone."""

    async def account(self, _handle: str) -> int | None:
        """Nobody."""
        return None

    async def address(self, _url: str) -> tuple[Literal["account", "status"], int] | None:
        """Nothing."""
        return None

    async def refresh(self, _uri: str) -> None:
        """Nothing."""
