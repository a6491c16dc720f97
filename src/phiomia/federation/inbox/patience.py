"""How long an activity waits for another server: its place among those that are carried out is wanted by others."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from phiomia.federation.unresolved import Unresolved

SECONDS: Final = 4.0
T = TypeVar("T")


async def in_time(asking: Awaitable[T], seconds: float = SECONDS) -> T:
    """What another server answers soon. Raises Unresolved.

    Who asks through the resolver may stop waiting: the question goes on, and next time its answer is here.
    """
    try:
        return await asyncio.wait_for(asking, seconds)
    except TimeoutError as late:
        raise Unresolved("its server takes long to answer", retry=True) from late
