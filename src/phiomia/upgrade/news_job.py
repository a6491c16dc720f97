"""Workers look for newer releases about once a day, and tell those who administrate."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from phiomia import __version__
from phiomia.platform import metrics
from phiomia.platform.clock import HOUR
from phiomia.platform.config import Config
from phiomia.platform.db import Database, WriteSession
from phiomia.platform.jobs.defer import Job, defer
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic
from phiomia.platform.log import get_logger
from phiomia.upgrade.news import RECOMMENDED, ROUTINE, SECURITY, UNKNOWN, News, has_newer, keep_news, load_news
from phiomia.upgrade.places import find_places

if TYPE_CHECKING:
    from phiomia.upgrade.look_for_news import Asker

log = get_logger("upgrade")

_available = metrics.gauge("update_available", "Whether there is a newer release, by its urgency.", ["urgency"])
_NUMBERS = {urgency: _available.bind(urgency) for urgency in (SECURITY, RECOMMENDED, ROUTINE, UNKNOWN)}
_stale = metrics.gauge("update_feed_stale", "Whether the feed of releases was not renewed in time.").bind()


class LookForNews(Job, frozen=True):
    """Look whether there is a newer release, when it is time."""

    TYPE = "upgrade.news"
    QUEUE = "scheduled"


class _Outside(Protocol):
    @property
    def fetcher(self) -> "Asker": ...


class _Context(Protocol):
    @property
    def db(self) -> Database: ...

    @property
    def config(self) -> Config: ...

    @property
    def outside(self) -> _Outside: ...


def make_handler(tell: Callable[[str], Job]) -> Handler:
    """The handler of LookForNews. `tell` makes what tells owners of a release that mends a weakness."""

    async def run(context: _Context, _job: LookForNews) -> None:
        if not context.config.upgrade.check:
            show_numbers(News(), time.time())
            return
        async with context.db.read() as session:
            news = await load_news(session)
        now = int(time.time())
        if not news.next_at:
            # All servers that take a release up would ask within the same hour.
            first = news._replace(next_at=now + random.randint(0, 3600))
            await context.db.write(lambda session: keep_news(session, first))
        elif news.next_at <= now:
            from phiomia.upgrade.look_for_news import look_for_news  # once a day is no reason to keep it loaded

            news = await look_for_news(context.config, find_places(), context.outside.fetcher, news, now)
            news = await context.db.write(lambda session: _keep(session, news, tell))
            _log(news)
        show_numbers(news, now)

    return Handler(LookForNews, run)


PERIODIC = (Periodic("upgrade.news", HOUR, LookForNews),)


def show_numbers(news: News, now: float) -> None:
    """Sets the gauges."""
    for urgency, number in _NUMBERS.items():
        number.value = float(has_newer(news, __version__) and news.urgency == urgency)
    _stale.value = float(news.is_stale(now))


async def _keep(session: WriteSession, news: News, tell: Callable[[str], Job]) -> News:
    if news.urgency == SECURITY and news.newest != news.told:
        await defer(session, tell(news.newest))
        news = news._replace(told=news.newest)
    await keep_news(session, news)
    return news


def _log(news: News) -> None:
    if news.problem:
        log.warning("no news of releases", problem=news.problem)
    if news.is_stale(time.time()):
        log.warning("the feed of releases was not renewed in time", expires=news.expires)
    if news.newest:
        write = log.warning if news.urgency in (SECURITY, RECOMMENDED) else log.info
        write("there is a newer release", version=news.newest, urgency=news.urgency)
