"""Serves an application over HTTP from a thread, for browsers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import uvicorn


@contextmanager
def serve(port: int, open_app: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[None]:
    """Serves what is opened in the thread's own event loop, as long as the context lasts."""
    ready, stop = threading.Event(), threading.Event()

    async def run() -> None:
        async with open_app() as app:
            server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
            task = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
                await asyncio.sleep(0.02)
            ready.set()
            await asyncio.to_thread(stop.wait)
            server.should_exit = True
            await task

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(20)
        yield
    finally:
        stop.set()
        thread.join(20)
