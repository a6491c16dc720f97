"""Asks whether there is a newer release: the feed if there is one, else the tags of where the checkout came from.

Nobody learns more than that somebody asks: the request says neither which server it is from nor which release it runs,
and the only thing that it brings back is the date inside the feed, which is the same for everybody.
"""

import asyncio
import random
from collections.abc import Mapping
from email.utils import formatdate
from typing import Protocol

from phiomia import __version__
from phiomia.platform.config import Config
from phiomia.platform.http import FetchFailed, Response
from phiomia.upgrade.ancestry import GitError
from phiomia.upgrade.checkout import source_root
from phiomia.upgrade.feed import Feed, FeedRefused, open_feed
from phiomia.upgrade.fetch import find_remote, list_remote_tags
from phiomia.upgrade.news import Newer, News, compare, compare_tags, date_of
from phiomia.upgrade.places import Places
from phiomia.upgrade.signers import read_signers_of

FEED_BYTES = 256 * 1024
_HOUR = 3600
_ANONYMOUS = {"User-Agent": "Phiomia", "Accept": "application/json"}
_FEED, _TAGS = "feed", "tags"


class Asker(Protocol):
    """The way out, as `platform.http.Fetcher` is."""

    async def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, body_bytes: int | None = None
    ) -> Response:
        """The answer. Raises FetchFailed."""


async def look_for_news(config: Config, places: Places, asker: Asker, before: News, now: int) -> News:
    """What is known after asking. What went wrong is told in it; what was known then stays."""
    # Not all servers on the same minute, nor one on the same minute of each day.
    news = before._replace(checked_at=now, next_at=now + 24 * _HOUR + random.randint(-4 * _HOUR, 4 * _HOUR), problem="")
    if config.upgrade.feed:
        return await _ask_feed(config, asker, news._replace(source=_FEED), now)
    forgotten = news._replace(source=_TAGS, feed="", issued=0, expires=0)
    return await asyncio.to_thread(_ask_tags, places, forgotten)


async def _ask_feed(config: Config, asker: Asker, news: News, now: int) -> News:
    since = {"If-Modified-Since": formatdate(news.issued, usegmt=True)} if news.feed else {}
    try:
        answer = await asker.fetch(config.upgrade.feed, headers=_ANONYMOUS | since, body_bytes=FEED_BYTES)
    except FetchFailed as error:
        soon = now + random.randint(2 * _HOUR, 4 * _HOUR) if error.retry else news.next_at
        return news._replace(next_at=soon, problem=f"The feed of releases can't be had: {error}.")
    if answer.status == 304 and news.feed:
        published = news.feed
    elif answer.ok:
        published = answer.body.decode("utf-8", "replace")
    else:
        return news._replace(problem=f"The feed of releases can't be had: status {answer.status}.")
    return await asyncio.to_thread(_take, config, news, published)


def _take(config: Config, news: News, published: str) -> News:
    root = source_root()
    try:
        feed = open_feed(published, read_signers_of(root), demanded=config.upgrade.signatures == "require")
        _refuse_older(feed, news)
    except FeedRefused as error:
        return news._replace(problem=str(error))
    found = compare(__version__, feed, date_of(root, __version__.partition("+")[0]))
    return _with(news, found)._replace(feed=published, issued=feed.issued, expires=feed.expires)


def _refuse_older(feed: Feed, news: News) -> None:
    if feed.issued < news.issued:
        raise FeedRefused("The feed of releases is older than the one seen before: somebody plays an old one back.")


def _ask_tags(places: Places, news: News) -> News:
    checkout = places.checkout if places.installed else source_root()
    try:
        if not (checkout / ".git").exists() or not find_remote(checkout):
            return _with(news, None)._replace(source="")
        found = compare_tags(__version__, list_remote_tags(checkout))
    except GitError as error:
        return news._replace(problem=f"Nobody says which releases there are: {error}.")
    return _with(news, found)


def _with(news: News, found: Newer | None) -> News:
    return news._replace(newest=found.version if found else "", urgency=found.urgency if found else "")
