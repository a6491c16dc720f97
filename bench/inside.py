"""`python -m bench.inside`: what pages cost inside one process, on one or two seeded servers in turn.

Without sockets and without other processes the least of many runs of the same request hardly depends on what else the
machine does. Two databases are asked alternately, so that their ratio holds even on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop
from uvicorn.server import ServerState

from bench.reads import READS, Read
from bench.seed import Facts
from phiomia.app import build_web, open_parts
from phiomia.platform import log
from phiomia.platform.bodies import only_whole
from phiomia.platform.config import load_config
from phiomia.platform.drain import GuardedProtocol


class _Wire(asyncio.Transport):
    """Takes answers and tells when one has come."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = [b""]
        self.came: asyncio.Future[None] | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def writelines(self, list_of_data: Any) -> None:
        self.pieces = list(list_of_data)
        if self.came is not None and not self.came.done():
            self.came.set_result(None)


class Inside:
    """The web application of a seeded server, in this process."""

    def __init__(self, app: Any, facts: Facts, lines: int) -> None:
        config: Any = uvicorn.Config(
            only_whole(app), ws="none", lifespan="off", interface="asgi3", log_config=None, proxy_headers=False,
            server_header=False, date_header=False,
        )  # fmt: skip
        config.load()
        self.facts = facts
        self._lines = []
        for _ in range(lines):
            protocol, wire = GuardedProtocol(config, ServerState(), {}), _Wire()
            protocol.connection_made(wire)
            self._lines.append((protocol, wire))

    async def ask(self, requests: Sequence[bytes]) -> None:
        """Asks all at once, each on a connection of its own."""
        await asyncio.gather(*[self._ask(line, request) for line, request in zip(self._lines, requests, strict=False)])

    async def answer(self, request: bytes) -> bytes:
        """What comes back, whatever it is."""
        return b"".join(await self._send(self._lines[0], request))

    async def _ask(self, line: tuple[GuardedProtocol, _Wire], request: bytes) -> None:
        answer = (await self._send(line, request))[0]
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"refused: {request[:80]!r}: {answer[:200]!r}")

    async def _send(self, line: tuple[GuardedProtocol, _Wire], request: bytes) -> list[bytes]:
        protocol, wire = line
        wire.came = asyncio.get_running_loop().create_future()
        protocol.data_received(request)
        await wire.came
        return wire.pieces

    def close(self) -> None:
        """Forgets the connections."""
        for protocol, _ in self._lines:
            protocol.connection_lost(ConnectionError())


async def open_inside(stack: contextlib.AsyncExitStack, server: str, lines: int) -> Inside:
    """The application of a seeded server with that many connections, until the stack ends."""
    folder, _, url = server.partition(",")
    settings = {"PHIOMIA_DATA": folder, "PHIOMIA_RATE_LIMITS": "off"} | ({"PHIOMIA_DATABASE_URL": url} if url else {})
    facts = msgspec.json.decode((Path(folder) / "bench-facts.json").read_bytes(), type=Facts)
    parts = await stack.enter_async_context(open_parts(load_config(settings), "web"))
    inside = Inside(build_web(parts), facts, lines)
    stack.callback(inside.close)
    return inside


async def _measure(servers: Sequence[Inside], read: Read, rounds: int, lines: int) -> list[float]:
    groups: list[list[Sequence[bytes]]] = []
    for server in servers:
        requests = read.requests(server.facts, None)  # type: ignore[arg-type]
        groups.append([requests[place : place + lines] for place in range(0, len(requests), lines)])
        for some in groups[-1]:
            await server.ask(some)
    gc.collect()
    least = [[float("inf")] * len(group) for group in groups]
    for _ in range(rounds):
        for place in range(len(groups[0])):
            for server, group, times in zip(servers, groups, least, strict=True):
                began = time.process_time_ns()
                await server.ask(group[place])
                times[place] = min(times[place], time.process_time_ns() - began)
    return [sum(times) / 1000 / sum(map(len, group)) for times, group in zip(least, groups, strict=True)]


async def _run(options: argparse.Namespace) -> None:
    async with contextlib.AsyncExitStack() as stack:
        servers = [await open_inside(stack, server, options.lines) for server in options.servers]
        for read in READS:
            if read.name == "home page 2" or options.read not in read.name:
                continue
            costs = await _measure(servers, read, options.rounds, options.lines)
            ratio = f"  x {costs[1] / costs[0]:.2f}" if len(costs) == 2 else ""
            print(f"{read.name:20}" + "".join(f"{cost:9.1f} µs" for cost in costs) + ratio, flush=True)


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(prog="python -m bench.inside", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "servers", nargs="+", help="a folder that `bench --data` has filled; behind a comma its database"
    )
    parser.add_argument("--read", default="", help="only pages whose name contains this")
    parser.add_argument("--rounds", type=int, default=10, help="of which the least counts (default 10)")
    parser.add_argument("--lines", type=int, default=1, help="requests at a time (default 1; 4 for PostgreSQL)")
    options = parser.parse_args()
    if len(options.servers) > 2:
        sys.exit("one server, or two to compare")
    log.configure("warning", "json")
    gc.set_threshold(10_000, 10, 10)  # as in a role's process
    uvloop.run(_run(options))


if __name__ == "__main__":
    main()
