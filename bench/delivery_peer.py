"""A thousand servers in one process: answers 202 to everything and remembers when each name was spoken to first."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time

import uvloop
from aiohttp import web


async def serve(certificate: str, latency: float) -> None:
    """Says its port, then for each line that comes in what it has heard since the last one."""
    heard: dict[str, float] = {}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        heard.setdefault(request.host.partition(":")[0], time.time())
        await request.read()
        await asyncio.sleep(latency)
        return web.Response(status=202)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=2048).start()
    print(runner.addresses[0][1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(heard), flush=True)
        heard.clear()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], float(sys.argv[2])))
