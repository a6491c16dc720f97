"""What many ask for in the same moment, asked for once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Loader(Generic[K, T]):
    """Passes on what is asked for, all of one turn of the event loop, or of some seconds, as one question."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]], seconds: float = 0.0) -> None:
        self._ask = ask
        self._seconds = seconds
        self._waiting: dict[K, asyncio.Future[T]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> T:
        """The answer for one key. Raises what asking raises."""
        if not self._waiting:
            # The loop would forget a task that nobody holds.
            task = asyncio.create_task(self._ask_for_all())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        # One of those who ask may be cancelled; the others still wait for the same answer.
        return await asyncio.shield(future)

    async def _ask_for_all(self) -> None:
        await asyncio.sleep(self._seconds)
        waiting, self._waiting = self._waiting, {}
        try:
            answers = await self._ask(list(waiting))
        except Exception as error:
            for future in waiting.values():
                future.set_exception(error)
                future.exception()  # that nobody may be left to hear it is no news
            return
        for key, future in waiting.items():
            future.set_result(answers[key])
