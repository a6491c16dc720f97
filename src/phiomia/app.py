"""The composition root: settings become a database, a bus, a storage, and from these the three roles.

`run_role` is one process; `serving.py` starts them all under the supervisor. Nothing else in the program
knows how the parts are joined.
"""

import asyncio
import contextlib
import gc
import importlib
import mimetypes
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phiomia.domain.filters.known import KnownFilters
from phiomia.domain.oauth.bearers import Bearers
from phiomia.entities.fragments import Fragments
from phiomia.entities.links import Links
from phiomia.federation.exchange import Exchange
from phiomia.platform import log
from phiomia.platform.bus import open_bus
from phiomia.platform.config import Config, variables
from phiomia.platform.db import Database, open_database
from phiomia.platform.events import Services
from phiomia.platform.health import TOUCH, Obstacle, find_obstacle, health_folder
from phiomia.platform.health_server import answer_for_process
from phiomia.platform.listen import inherited_sockets
from phiomia.platform.notify import offer_service, tell_ready
from phiomia.platform.storage import Storage
from phiomia.platform.storages import open_storage, readable_storages
from phiomia.side_effects import SIDE_EFFECTS
from phiomia.upgrade.compat_session import check_session

# What `run_web`, `run_worker` and `run_streaming_role` import.
_ROLE_MODULES = (
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "falcon.asgi",
    "phiomia.federation.inbox.receive",
    "phiomia.federation.inbox.web",
    "phiomia.federation.media",
    "phiomia.federation.routes",
    "phiomia.jobs",
    "phiomia.platform.drain",
    "phiomia.platform.file_limit",
    "phiomia.platform.jobs.periodic",
    "phiomia.platform.jobs.worker",
    "phiomia.platform.passing",
    "phiomia.streaming.role",
    "phiomia.streams",
    "phiomia.web.routes",
    "uvicorn.lifespan.off",
    "uvloop",
)
_ONCE_READ_MB = 4
# An idle worker looks every second; a write may wait for others for as long as `database.busy_seconds`.
_STUCK_AFTER_S = 30.0


@dataclass
class Parts:
    """What every role stands on, opened."""

    config: Config
    db: Database
    bus: Any
    storage: Storage
    links: Links
    exchange: Exchange


@contextlib.asynccontextmanager
async def open_parts(config: Config, role: str) -> Any:
    """Opens what a role needs and closes it in the end."""
    durable = config.database.synchronous if role != "worker" else "normal"  # a job that is lost runs again
    db = open_database(
        config.database_url,
        pool=config.database.pool,
        synchronous=durable,
        # Only the web asks for the same pages again and again.
        cache_mb=config.database.cache_mb if role == "web" else min(config.database.cache_mb, _ONCE_READ_MB),
        busy_seconds=config.database.busy_seconds,
    )
    bus = open_bus(_bus_url(config))
    storage = open_storage(config)
    links = Links(config.base_url, config.domain, storage.url, proxy=config.media.shows_copies)
    exchange = Exchange(config, db, links)
    db.services = Services(side_effects=SIDE_EFFECTS, bus=bus, config=config)
    await bus.start()
    try:
        await db.start()
        async with db.read() as session:
            await check_session(session)
        yield Parts(config, db, bus, storage, links, exchange)
    finally:
        await exchange.close()
        await db.close()
        await bus.close()


def _bus_url(config: Config) -> str:
    if config.bus.url:
        return config.bus.url
    hub = os.environ.get("PHIOMIA_BUS_SOCKET")
    return f"unix:{hub}" if hub else "local:"


def build_web(parts: Parts) -> Any:
    """The web role's ASGI application: API, pages, media, health."""
    from phiomia.api.context import Api
    from phiomia.api.files import mount_files
    from phiomia.api.health import mount_health
    from phiomia.api.media_proxy import mount_media_proxy
    from phiomia.api.routes import mount_api
    from phiomia.federation.context import Federation
    from phiomia.federation.documents.rendered import Shelves
    from phiomia.federation.inbox.crowd import Crowd
    from phiomia.federation.inbox.receive import Inbox
    from phiomia.federation.inbox.web import mount_inboxes
    from phiomia.federation.lookup import ExchangeLookup
    from phiomia.federation.media import make_copier
    from phiomia.federation.routes import mount_federation
    from phiomia.platform.asgi import QuickApp  # the worker does without it
    from phiomia.platform.rates import Rates
    from phiomia.web.context import WebContext
    from phiomia.web.routes import mount as mount_pages

    config = parts.config
    rates = Rates(config.data_dir / "run" / "rates")
    bearers = Bearers(parts.db, parts.bus, config.caches.tokens)
    fragments = Fragments(
        parts.links,
        statuses=config.caches.statuses,
        accounts=config.caches.accounts,
        filters=KnownFilters(parts.bus),
    )
    lookup = ExchangeLookup(parts.exchange)
    api = Api(config, parts.db, parts.bus, parts.storage, bearers, fragments, rates, lookup, parts.exchange.outside)
    app = QuickApp()
    mount_api(app, api)
    storages = readable_storages(config, parts.storage)
    mount_files(app, parts.db, storages)
    mount_media_proxy(
        app, config, parts.db, rates, make_copier(config, parts.db, parts.storage, parts.exchange), storages
    )
    mount_health(app, parts.db, health_folder(config))
    shelves = Shelves(statuses=config.caches.statuses // 4, accounts=config.caches.accounts // 4)
    exchange = parts.exchange
    federation = Federation(config, parts.db, parts.links, shelves, exchange.rules, exchange.keys)
    mount_inboxes(app, Inbox(parts.db, exchange.keys, exchange.rules, exchange.own, Crowd(parts.db)), config.base_url)
    pages = mount_federation(app, federation)
    mount_pages(pages, WebContext(config, parts.db, rates, fragments, lookup))
    return app


async def run_web(config: Config) -> None:
    """Serves the web until told to stop."""
    from phiomia.platform.drain import serve_web
    from phiomia.platform.passing import Giver, turn_away

    async with open_parts(config, "web") as parts:
        app = build_web(parts)
        giver = Giver(streaming_folder(config))

        def divert(transport: asyncio.Transport, data: bytes) -> bool:
            if b" /api/v1/streaming" not in data[:28]:
                return False
            fd = transport.get_extra_info("socket").fileno()
            return giver.give(fd, data) or turn_away(fd, data)

        async def probe() -> None:
            async with parts.db.read() as session:
                await session.value(TOUCH)

        async with _answer_health(parts, "web"):
            await serve_web(app, _sockets(config.bind), offer_service, probe=probe, divert=divert)


async def run_worker(config: Config) -> None:
    """Runs jobs until told to stop."""
    from phiomia.jobs import HANDLERS, PERIODIC, WorkerContext
    from phiomia.platform.file_limit import allow_many_files
    from phiomia.platform.jobs.periodic import run_periodic
    from phiomia.platform.jobs.worker import Timing, Worker

    allow_many_files()
    async with open_parts(config, "worker") as parts:
        stop = _stop_on_signal()
        context = WorkerContext(config=config, db=parts.db, bus=parts.bus, storage=parts.storage, links=parts.links)
        name = f"{socket.gethostname()}:{os.getpid()}"
        worker = Worker(parts.db, parts.bus, HANDLERS, worker_name=name, context=context, timing=Timing(stop_s=8.0))
        periodic = asyncio.create_task(run_periodic(parts.db, PERIODIC, stop, holder=f"{name}:{secrets.token_hex(4)}"))
        async with parts.db.read() as session:
            await session.value(TOUCH)
        async with _answer_health(parts, "worker", lambda: _find_stuck(worker), config.processes.worker_health_bind):
            tell_ready()
            await worker.run(stop)
            await periodic
            await context.close()


async def run_streaming_role(config: Config) -> None:
    """Serves streams until told to stop."""
    from phiomia.platform.file_limit import allow_many_files
    from phiomia.streaming.hall import read_limits
    from phiomia.streaming.role import StreamingContext, run_streaming
    from phiomia.streams import Listeners, Renderings

    allow_many_files()
    async with open_parts(config, "streaming") as parts:
        stop = _stop_on_signal()
        bearers = Bearers(parts.db, parts.bus, config.caches.tokens)
        fragments = Fragments(
            parts.links,
            statuses=config.caches.statuses // 4,
            accounts=config.caches.accounts // 4,
            filters=KnownFilters(parts.bus),
        )
        context = StreamingContext(
            db=parts.db,
            bus=parts.bus,
            authenticator=Listeners(parts.db, bearers),
            renderer=Renderings(parts.db, fragments),
            config=config,
            handed_over=streaming_folder(config),
            limits=read_limits(config.streams),
            generation=int(os.environ.get("PHIOMIA_GENERATION", "0")),
            answering=lambda obstacle: _answer_health(
                parts, "streaming", obstacle, config.processes.streaming_health_bind
            ),
        )
        sockets = _sockets(config.streaming_bind) if config.streaming_bind else []
        await run_streaming(context, sockets, offer_service, stop)


@contextlib.asynccontextmanager
async def _answer_health(
    parts: Parts, role: str, obstacle: Obstacle | None = None, address: str = ""
) -> AsyncIterator[None]:
    async def ready() -> str:
        return await find_obstacle(parts.db, obstacle)

    async with answer_for_process(health_folder(parts.config), role, ready, address):
        yield


def _find_stuck(worker: Any) -> str:
    idle_s = worker.idle_s
    return f"the queue was not looked at for {idle_s:.0f} s" if idle_s > _STUCK_AFTER_S else ""


def streaming_folder(config: Config) -> Path:
    """Where the web gives streaming connections away."""
    return config.sockets_dir / "streaming"


def run_role(config: Config, role: str) -> None:
    """One process of a role, until a signal. Raises Unavailable when the database can't be opened."""
    import uvloop

    log.configure(config.log.level, config.log.format)
    # Nearly all that a request leaves behind goes without a collection; each looks through all that is kept.
    gc.set_threshold(10_000, 10, 10)
    run: Callable[[Config], Any] = {"web": run_web, "worker": run_worker, "streaming": run_streaming_role}[role]
    uvloop.run(run(config))


def load_roles(database: str) -> None:
    """Loads what the roles need on this database, `sqlite` or `postgresql`, before the process is copied for each."""
    from phiomia.api.endpoint import make_readers
    from phiomia.api.routes import load_endpoints
    from phiomia.platform.http import load_library

    load_library()
    for module in (*_ROLE_MODULES, f"phiomia.platform.db.{database}"):
        importlib.import_module(module)
    load_endpoints()
    make_readers()
    mimetypes.init()  # else each copy of the web would read the system's table
    variables()


def _sockets(bind: str) -> list[socket.socket]:
    inherited = inherited_sockets()
    if inherited:
        return inherited
    from phiomia.platform.listen import bind as open_socket

    return [open_socket(bind)]


def _stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
