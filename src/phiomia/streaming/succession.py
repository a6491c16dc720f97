"""The process before this one gives us its streams, and we give ours to the one that comes after.

When none serves, because the whole unit is being restarted, we go on without a supervisor until one does; where we
must not, they wait where the service manager keeps them.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from phiomia.platform.listen import KEPT
from phiomia.platform.park import may_outlive
from phiomia.platform.passing import Taker
from phiomia.streaming.giving import Heir, Others, Recipient, find_others, give_away
from phiomia.streaming.parking import Found, Park, find_park
from phiomia.streaming.server import StreamingServer
from phiomia.streaming.taking import Successor

LOOK_EVERY_S = 0.05
ANSWER_S = 1.0
ANY_GENERATION = -1
log = logging.getLogger(__name__)


class Succession:
    """Our place among the generations that meet in a folder, where the web gives its connections away too."""

    def __init__(self, folder: Path, generation: int, server: StreamingServer) -> None:
        self._folder = folder
        self._generation = generation
        self._server = server
        self._successor = Successor(folder, generation, server.take)
        self._taker: Taker | None = None
        self._park: Park | None = None
        self._looking: asyncio.Task[None] | None = None
        self._supervisor = os.getppid()

    def begin(self) -> None:
        """Takes what the web gives, what the process before us has, and what is parked."""
        self._taker = Taker(self._folder, self._server.adopt)
        self._successor.begin()
        self._looking = asyncio.create_task(self._watch_park())

    async def end(self, following: asyncio.Task[None]) -> bool:
        """Gives everything away, to the next process if one serves; gives whether one does, and takes nothing more."""
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=ANSWER_S)
            self._looking.cancel()
            await asyncio.wait({self._looking})
        if self._park is not None:
            self._park.rest()
        if self._is_orphan and KEPT not in os.environ:
            # Whoever is started in our supervisor's place has to listen there.
            self._server.stop_listening()
        await self._successor.close()
        heirs, others_serve = await self._find_recipients(following)
        # What the web gave us before belongs to what is given away; from now on it gives to the next process.
        if self._taker is not None:
            self._taker.close()
        await self._give_all(following, heirs)
        if self._park is not None:
            self._park.close()
        return others_serve

    async def _give_all(self, following: asyncio.Task[None], heirs: Sequence[Recipient]) -> None:
        tried: set[Path] = set()
        while heirs:
            self._server.stop_listening()
            try:
                if await give_away(self._server, following, heirs):
                    return
            finally:
                for heir in heirs:
                    heir.close()
            # Whoever was taking them has ended, perhaps because the one after it serves already.
            tried |= {heir.path for heir in heirs if isinstance(heir, Heir)}
            heirs = (await find_others(self._folder, self._generation, tried)).heirs

    async def _find_recipients(self, following: asyncio.Task[None]) -> tuple[Sequence[Recipient], bool]:
        # A feed that has ended by itself has failed: nobody knows what its clients have got.
        if following.done():
            return [], False
        others = await find_others(self._folder, self._generation)
        if not others.serve and self._is_orphan:
            others = await self._await_others()
        if others.serve or self._is_orphan:
            return others.heirs, others.serve
        return [self._park] if self._park is not None else [], False

    async def _watch_park(self) -> None:
        self._park = await find_park(self._folder.parent)
        if self._park is not None:
            self._park.watch(self._unpark)

    @property
    def _is_orphan(self) -> bool:
        """Whether our supervisor has ended before us, and may have a successor."""
        return self._park is not None and os.getppid() != self._supervisor and may_outlive(dict(os.environ))

    async def _await_others(self) -> Others:
        assert self._park is not None
        self._park.only_look()
        log.info("the supervisor has ended; serving until another process does")
        deadline = asyncio.get_running_loop().time() + self._server.hall.limits.outlive_s
        while asyncio.get_running_loop().time() < deadline and not self._park.is_given_up():
            # Generations of another supervisor are counted anew.
            others = await find_others(self._folder, ANY_GENERATION)
            if others.serve:
                return others
            await asyncio.sleep(LOOK_EVERY_S)
        return Others([])

    def _unpark(self, found: Found) -> None:
        if found.waited_s > self._server.hall.limits.parked_s:
            self._server.dismiss(found.parcel)
        else:
            self._server.take(found.parcel)
