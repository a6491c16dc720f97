"""What is known of newer releases: asked for about once a day, kept in the database, shown to those who administrate.

Not for use within an event loop, besides what is async.
"""

import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from phiomia.platform.db import Query, ReadSession, WriteSession
from phiomia.upgrade.database import connect, is_there
from phiomia.upgrade.versions import is_prerelease, version_order

if TYPE_CHECKING:
    from phiomia.upgrade.feed import Entry, Feed

SECURITY, RECOMMENDED, ROUTINE, UNKNOWN = "security", "recommended", "routine", "unknown"
FACT = "upgrade.news"
TABLE = "server_facts"
_KEEP_SQL = (
    f"INSERT INTO {TABLE} (name, value) VALUES ('{FACT}', {{}})"  # noqa: S608 (names of ours)
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_READ_SQL = f"SELECT value FROM {TABLE} WHERE name = '{FACT}'"  # noqa: S608
_READ = Query.raw(sqlite=_READ_SQL)
_KEEP = Query.raw(sqlite=_KEEP_SQL.format(":value"))


class News(NamedTuple):
    """The last look. Times are seconds since 1970; `problem` says in words why there is no better answer."""

    checked_at: int = 0
    next_at: int = 0
    source: str = ""
    newest: str = ""
    urgency: str = ""
    problem: str = ""
    expires: int = 0
    issued: int = 0
    feed: str = ""  # as it was published
    told: str = ""  # the newest release that owners were told of

    def is_stale(self, now: float) -> bool:
        """Whether they come from a feed that was not renewed in time; tags need no renewing."""
        return 0 < self.expires < now


class Newer(NamedTuple):
    """The newest release, if it is newer than what runs, and how urgent it is to take it up."""

    version: str
    urgency: str


def compare(installed: str, feed: "Feed", installed_date: str = "") -> Newer | None:
    """What a feed means for who runs a release of that date.

    What is urgent in another branch is urgent here too, unless ours is younger than it: then it has the same.
    """
    newer = [one for one in feed.branches if _is_newer(one.latest.version, installed)]
    if not newer:
        return None
    newest = max((one.latest.version for one in newer), key=version_order)
    for urgency, urgent in (
        (SECURITY, [one.security for one in newer]),
        (RECOMMENDED, [one.recommended for one in newer]),
    ):
        if any(one and _concerns(one, installed, installed_date) for one in urgent):
            return Newer(newest, urgency)
    return Newer(newest, ROUTINE)


def compare_tags(installed: str, versions: Iterable[str]) -> Newer | None:
    """The same of mere tags, which do not say how urgent they are."""
    newer = [one for one in versions if not is_prerelease(one) and _is_newer(one, installed)]
    return Newer(max(newer, key=version_order), UNKNOWN) if newer else None


def has_newer(news: News, installed: str) -> bool:
    """Whether the newest release is not installed: it may have been taken up since the last look."""
    return bool(news.newest) and _is_newer(news.newest, installed)


def describe_news(news: News, installed: str, now: float) -> list[str]:
    """What there is to say, in sentences; none when all is well."""
    said = []
    if has_newer(news, installed):
        kind = {SECURITY: "mends a weakness", RECOMMENDED: "is recommended", ROUTINE: "is there"}
        said.append(f"{news.newest} {kind.get(news.urgency, 'is there')}: `phiomia upgrade plan` shows the way.")
    if news.problem:
        said.append(news.problem)
    return [*said, *filter(None, [say_stale(news, now)])]


def say_stale(news: News, now: float) -> str:
    """That the feed was not renewed in time; empty when it was."""
    if not news.is_stale(now):
        return ""
    since = datetime.datetime.fromtimestamp(news.issued, datetime.UTC).strftime("%Y-%m-%d")
    return f"The feed of releases was not renewed since {since}: somebody may keep newer releases from this server."


def date_of(root: Path, version: str) -> str:
    """The date of a release, from the manifest beside the code; empty when there is none."""
    from phiomia.upgrade.manifest import ManifestError, read_manifest

    path = root / "releases" / f"{version}.toml"
    if not path.is_file():
        return ""
    try:
        return read_manifest(path.read_text("utf-8"), path.name).date.isoformat()
    except ManifestError:
        return ""


def read_news(database_url: str) -> News:
    """What the last look found; empty before the first."""
    if not is_there(database_url):
        return News()
    with connect(database_url) as connection:
        if not connection.has_table(TABLE):
            return News()
        rows = connection.rows(_READ_SQL)
    return _decode(rows[0][0]) if rows else News()


def write_news(database_url: str, news: News) -> None:
    """Keeps it, for commands; does nothing before there is a database."""
    if not is_there(database_url):
        return
    with connect(database_url) as connection:
        if connection.has_table(TABLE):
            connection.rows(_KEEP_SQL.format("?"), _encode(news))


async def load_news(session: ReadSession) -> News:
    """What the last look found; empty before the first."""
    value = await session.value(_READ)
    return News() if value is None else _decode(value)


async def keep_news(session: WriteSession, news: News) -> None:
    """Keeps it."""
    await session.execute(_KEEP, value=_encode(news))


def _concerns(urgent: "Entry", installed: str, installed_date: str) -> bool:
    if not _is_newer(urgent.version, installed):
        return False
    same_branch = urgent.version.rpartition(".")[0] == _base(installed).rpartition(".")[0]
    return same_branch or not installed_date or urgent.date > installed_date


def _is_newer(version: str, installed: str) -> bool:
    return version_order(version) > version_order(_base(installed))


def _base(version: str) -> str:
    return version.partition("+")[0]


def _encode(news: News) -> bytes:
    return json.dumps(news._asdict()).encode()


def _decode(value: Any) -> News:
    told = json.loads(bytes(value))
    # Another release may have kept more or less.
    return News(**{name: told[name] for name in News._fields if name in told})
