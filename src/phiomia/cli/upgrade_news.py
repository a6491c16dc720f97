"""`phiomia upgrade check`: is there a newer release?"""

import asyncio
import json
import time

import click

from phiomia import __version__
from phiomia.cli.options import AS_JSON
from phiomia.platform.config import Config, load_config
from phiomia.upgrade.news import News, describe_news, read_news, write_news
from phiomia.upgrade.places import find_places


@click.command()
@AS_JSON
def check(as_json: bool) -> None:
    """Ask now whether there is a newer release. Exit status 1 when nobody says so, or the feed is too old."""
    config = load_config()
    news = asyncio.run(_look(config, read_news(config.database_url)))
    write_news(config.database_url, news)
    now = time.time()
    said = describe_news(news, __version__, now)
    if as_json:
        told = {name: value for name, value in news._asdict().items() if name not in ("feed", "next_at", "told")}
        print(json.dumps({"installed": __version__, **told, "said": said}, indent=2))
    else:
        print("\n".join(said) or _nothing(news))
    raise click.exceptions.Exit(1 if news.problem or news.is_stale(now) else 0)


async def _look(config: Config, before: News) -> News:
    from phiomia.federation.outside import fetch_options
    from phiomia.platform.http import Fetcher
    from phiomia.upgrade.look_for_news import look_for_news

    async with Fetcher(fetch_options(config)) as fetcher:
        return await look_for_news(config, find_places(), fetcher, before, int(time.time()))


def _nothing(news: News) -> str:
    if not news.source:
        return "There is nowhere to ask: this code came from nowhere, and upgrade.feed names no feed."
    return f"{__version__} is the newest release."
