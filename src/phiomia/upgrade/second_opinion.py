"""What the feed of releases says about a plan: whether there is more than the checkout knows, and other commits."""

from collections.abc import Collection, Iterator, Mapping

from phiomia.upgrade.feed import FeedRefused, open_feed
from phiomia.upgrade.news import News, say_stale
from phiomia.upgrade.tags import NotTrusted
from phiomia.upgrade.versions import version_order


def list_doubts(news: News, target: str, known: Collection[str], now: float) -> Iterator[str]:
    """What to mind, in sentences."""
    if stale := say_stale(news, now):
        yield stale
    if news.newest and news.newest not in known and version_order(news.newest) > version_order(target):
        urgent = ", which mends a weakness" if news.urgency == "security" else ""
        yield f"There is {news.newest}{urgent}. This checkout lacks it: what it is fetched from may be behind."


def find_contradictions(news: News, commits: Mapping[str, str], signers: str) -> Iterator[NotTrusted]:
    """Releases that are another commit here than the feed says."""
    if not news.feed:
        return
    try:
        feed = open_feed(news.feed, signers)
    except FeedRefused:
        # Other signers than when it came: the next look brings one of theirs.
        return
    told = {branch.latest.version: branch.commit for branch in feed.branches}
    for version, commit in commits.items():
        if told.get(version, commit) != commit:
            there, here = told[version][:12], commit[:12]
            yield NotTrusted(
                "tag", f"v{version} is {here} here and {there} in the feed of releases: find out which one is right."
            )
