"""Makes tests of coroutines that want a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


def on_both_databases(
    play: Callable[..., Awaitable[None]], run: Callable[[str], Awaitable[None]]
) -> Callable[[str], None]:
    """A test that is called like `play` and does `run` with the address of a migrated database, of each kind once."""

    def test(migrated_database_url: str) -> None:
        asyncio.run(run(migrated_database_url))  # type: ignore[arg-type]

    test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
    return test
