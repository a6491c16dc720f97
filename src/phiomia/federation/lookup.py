"""Looks for accounts and statuses of other servers while somebody waits: with a deadline, and without errors."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from phiomia.federation.exchange import Exchange
from phiomia.federation.unresolved import Unresolved
from phiomia.platform.http import FetchRefused
from phiomia.platform.log import get_logger

if TYPE_CHECKING:
    from phiomia.federation.resolve import Found

log = get_logger("lookup")

SECONDS: Final = 8.0
T = TypeVar("T")


class ExchangeLookup:
    """The port `domain.accounts.resolver.Lookup`, fulfilled by asking."""

    def __init__(self, exchange: Exchange, seconds: float = SECONDS) -> None:
        self._exchange = exchange
        self._seconds = seconds

    async def account(self, handle: str) -> int | None:
        """The account of user@domain."""
        actor = await self._in_time(handle, self._exchange.resolver.account_of_handle(handle))
        return None if actor is None or actor.suspended else actor.id

    async def address(self, url: str) -> tuple[Literal["account", "status"], int] | None:
        """What is at an address."""
        found = await self._in_time(url, self._look(url))
        return None if found is None else (found.kind, found.id)

    async def refresh(self, uri: str) -> None:
        """Asks for a known status again."""
        from phiomia.federation.inbox.look_again import look_again

        await self._in_time(uri, look_again(self._exchange.inbox, uri))

    async def _look(self, url: str) -> "Found":
        if not url.isascii():
            # Browsers show names of hosts in letters that ids don't have.
            try:
                url = self._exchange.outside.fetcher.normalise(url)
            except FetchRefused as error:
                raise Unresolved(str(error)) from error
        return await self._exchange.resolver.any(url)

    async def _in_time(self, what: str, asking: Awaitable[T]) -> T | None:
        try:
            return await asyncio.wait_for(asking, self._seconds)
        except Unresolved as error:
            log.info("nothing was found", asked=what[:200], reason=error.reason)
        except TimeoutError:
            log.info("nothing was found in time", asked=what[:200])
        return None
