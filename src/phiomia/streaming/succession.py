"""The process before this one gives us its streams, and we give ours to the one that comes after."""

import asyncio
from pathlib import Path

from phiomia.platform.passing import Taker
from phiomia.streaming.giving import find_heirs, give_away
from phiomia.streaming.server import StreamingServer
from phiomia.streaming.taking import Successor


class Succession:
    """Our place among the generations that meet in a folder, where the web gives its connections away too."""

    def __init__(self, folder: Path, generation: int, server: StreamingServer) -> None:
        self._folder = folder
        self._generation = generation
        self._server = server
        self._successor = Successor(folder, generation, server.take)
        self._taker: Taker | None = None

    def begin(self) -> None:
        """Takes what the web gives, and what the process before us has."""
        self._taker = Taker(self._folder, self._server.adopt)
        self._successor.begin()

    async def end(self, following: asyncio.Task[None]) -> None:
        """Gives everything to the next process, if one serves; takes nothing any more."""
        await self._successor.close()
        heirs = [] if following.done() else await find_heirs(self._folder, self._generation)
        # What the web gave us before belongs to what is given away; from now on it gives to the next process.
        if self._taker is not None:
            self._taker.close()
        if not heirs:
            return
        self._server.stop_listening()
        try:
            await give_away(self._server, following, heirs)
        finally:
            for heir in heirs:
                heir.close()
