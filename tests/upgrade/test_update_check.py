"""The feed of releases: what it says, whom one believes, and who hears of it."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trust_world import Key, feed_line

from phiomia.domain.users.mail import Mail
from phiomia.jobs import HANDLERS
from phiomia.platform.config import Config, load_config
from phiomia.platform.db import Query
from phiomia.platform.http import FetchFailed, Response
from phiomia.platform.metrics import exposition
from phiomia.upgrade import feed as feed_command
from phiomia.upgrade import look_for_news as looking
from phiomia.upgrade.feed import Branch, Entry, Feed, FeedRefused, is_stale, open_feed, seal
from phiomia.upgrade.look_for_news import look_for_news
from phiomia.upgrade.manifest import Manifest, write_manifest
from phiomia.upgrade.news import Newer, News, compare, compare_tags, describe_news, has_newer, keep_news, load_news
from phiomia.upgrade.news_job import LookForNews
from phiomia.upgrade.places import Places
from phiomia.upgrade.second_opinion import find_contradictions, list_doubts
from world import World, story

NOW = 1_800_000_000
DAY = 86_400


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """Who makes the feed."""
    return Key(tmp_path / "feed-key")


def text_of(*branches: Branch, issued: int = NOW, days: int = 14) -> str:
    """A feed as it is before it is signed."""
    told = []
    for one in branches:
        urgent = {"recommended": one.recommended, "security": one.security}
        entry: dict[str, Any] = {"name": one.name, "latest": one.latest._asdict(), "commit": one.commit}
        told.append(entry | {name: value._asdict() for name, value in urgent.items() if value})
    return json.dumps({"format": 1, "issued": issued, "expires": issued + days * DAY, "branches": told})


def branch(version: str, *, security: str = "", date: str = "2027-01-10") -> Branch:
    """A branch with its newest release."""
    urgent = Entry(security, date) if security else None
    return Branch(version.rpartition(".")[0], Entry(version, date), "c" * 40, None, urgent)


def test_a_checkout_makes_it(tmp_path: Path, key: Key) -> None:
    """From tags and manifests, for each branch; what is not finished is left out."""
    root = tmp_path / "checkout"
    (root / "releases").mkdir(parents=True)
    git = ["git", "-C", str(root), "-c", "user.name=T", "-c", "user.email=t@mail.example"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for number, (version, urgency) in enumerate(
        [
            ("1.0.0", "routine"),
            ("1.0.1", "security"),
            ("1.0.2", "routine"),
            ("1.1.0", "recommended"),
            ("1.2.0rc1", "routine"),
        ]
    ):
        channel = "rc" if "rc" in version else "stable"
        made = Manifest(version, datetime.date(2027, 1, 1 + number), channel=channel, urgency=urgency)
        (root / f"releases/{version}.toml").write_text(write_manifest(made))
        subprocess.run([*git, "add", "--all"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", version], check=True)
        subprocess.run([*git, "tag", "--annotate", "--message", version, f"v{version}"], check=True)
    output = tmp_path / "feed.json"
    assert feed_command.main(["--output", str(output), "--key", str(key.path)], root) == 0
    read = open_feed(output.read_text(), feed_line(key))
    assert read.signed and read.expires - read.issued == 14 * DAY and not is_stale(read, time.time())
    assert int(output.stat().st_mtime) == read.issued
    first, second = read.branches
    assert (first.name, first.latest, first.security) == (
        "1.0",
        Entry("1.0.2", "2027-01-03"),
        Entry("1.0.1", "2027-01-02"),
    )
    assert (second.name, second.latest.version, second.recommended) == ("1.1", "1.1.0", Entry("1.1.0", "2027-01-04"))
    commit = subprocess.run([*git, "rev-parse", "v1.1.0^{commit}"], capture_output=True, text=True, check=True).stdout
    assert second.commit == commit.strip()
    see_that_it_is_watched(root, output, git, key)


def see_that_it_is_watched(root: Path, output: Path, git: list[str], key: Key) -> None:
    """Nothing is published that servers would refuse, and who looks is told before they would."""

    def run(*arguments: str) -> int:
        return feed_command.main(arguments, root)

    check = ("--check", str(output))
    assert run(*check) == 0
    (root / "releases/allowed_signers").write_text(feed_line(key))
    assert run(*check) == 0
    before, other = output.read_text(), Key(output.parent / "another")
    assert run("--output", str(output)) == 1
    assert run("--output", str(output), "--key", str(other.path)) == 1
    assert output.read_text() == before and not list(output.parent.glob(".feed*"))
    assert run("--output", str(output), "--key", str(key.path), "--days", "4") == 0
    assert run(*check) == 1
    assert run("--output", str(output), "--key", str(key.path)) == 0 == run(*check)
    made = Manifest("1.1.1", datetime.date(2027, 2, 1))
    (root / "releases/1.1.1.toml").write_text(write_manifest(made))
    for command in (("add", "--all"), ("commit", "--quiet", "--message", "x"), ("tag", "-a", "-m", "x", "v1.1.1")):
        subprocess.run([*git, *command], check=True)
    assert run(*check) == 1
    assert run("--output", str(output), "--key", str(key.path)) == 0 == run(*check)
    output.write_text(output.read_text().replace("1.1.1", "1.1.0"))
    assert run(*check) == 1


def test_who_is_believed(tmp_path: Path, key: Key) -> None:
    """Only a signature of who makes the feed, over just this text, made for a feed."""
    text, other = text_of(branch("1.0.1")), Key(tmp_path / "other")
    good = seal(text, str(key.path))
    assert open_feed(good, feed_line(key)).signed
    changed = json.dumps(json.loads(good) | {"feed": text.replace("1.0.1", "1.0.9")})
    for published, words in (
        (seal(text, ""), "is not signed"),
        (seal(text, str(other.path)), "not signed by who makes it"),
        (changed, "not signed by who makes it"),
        ("<html>", "no feed"),
        (json.dumps({"feed": {}, "signature": ""}), "no feed"),
    ):
        with pytest.raises(FeedRefused, match=words):
            open_feed(published, feed_line(key))
    with pytest.raises(FeedRefused, match="not signed by who makes it"):
        # The key of releases is none for the feed.
        open_feed(seal(text, str(other.path)), feed_line(key) + other.line())
    assert not open_feed(seal(text, ""), "").signed
    with pytest.raises(FeedRefused, match="names nobody"):
        open_feed(good, "", demanded=True)
    with pytest.raises(FeedRefused, match="no feed"):
        open_feed(seal(text.replace('"1.0.1"', '"no version"'), str(key.path)), feed_line(key))


@pytest.mark.parametrize(
    ("installed", "date", "found"),
    [
        ("1.0.2", "2027-01-01", Newer("1.1.4", "security")),
        ("1.0.3", "2027-02-01", Newer("1.1.4", "routine")),  # has in its branch what 1.1.3 mended
        ("1.0.3", "", Newer("1.1.4", "security")),  # nobody knows when it was made
        ("1.1.2", "2027-01-05", Newer("1.1.4", "security")),
        ("1.1.3", "2027-01-10", Newer("1.1.4", "routine")),
        ("1.1.4", "2027-01-11", None),
        ("1.1.4+unreleased", "", None),
        ("2.0.0", "2027-01-11", None),
    ],
)
def test_what_it_means(installed: str, date: str, found: Newer | None) -> None:
    """Urgent is what this server does not have yet, whatever is newest."""
    first = Branch("1.0", Entry("1.0.3", "2027-02-01"), "", None, Entry("1.0.3", "2027-02-01"))
    second = Branch("1.1", Entry("1.1.4", "2027-01-11"), "", None, Entry("1.1.3", "2027-01-10"))
    assert compare(installed, Feed(NOW, NOW, (first, second)), date) == found


def test_tags_say_less() -> None:
    """What is not finished is no news."""
    assert compare_tags("1.0.0", ["1.0.0", "1.10.0", "1.9.0", "2.0.0rc1"]) == Newer("1.10.0", "unknown")
    assert compare_tags("2.0.0rc1", ["1.10.0"]) is None


class Server:
    """Answers instead of the place where the feed is."""

    def __init__(self) -> None:
        self.answer: Response | FetchFailed = FetchFailed("no connection", retry=True)
        self.asked: list[Mapping[str, str]] = []

    def say(self, text: str, status: int = 200) -> None:
        self.answer = Response(status, {}, text.encode(), "https://feed.example/")

    async def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, body_bytes: int | None = None
    ) -> Response:
        assert url == "https://feed.example/" and body_bytes
        self.asked.append(headers or {})
        if isinstance(self.answer, FetchFailed):
            raise self.answer
        return self.answer


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    """A server that asks a feed."""
    return load_config({"PHIOMIA_DATA": str(tmp_path), "PHIOMIA_UPGRADE_FEED": "https://feed.example/"})


def test_asking(settings: Config, tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing of itself, keeps what it knew when nobody answers, and takes nothing that is older or stale."""
    monkeypatch.setattr(looking, "source_root", lambda: tmp_path)
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/allowed_signers").write_text(feed_line(key))
    monkeypatch.setattr(looking, "__version__", "1.0.0")
    server, places = Server(), Places(tmp_path / "live", tmp_path / "app")

    def look(before: News, now: int) -> News:
        return asyncio.run(look_for_news(settings, places, server, before, now))

    server.say(seal(text_of(branch("1.0.2", security="1.0.1")), str(key.path)))
    news = look(News(), NOW)
    assert (news.newest, news.urgency, news.problem, news.source) == ("1.0.2", "security", "", "feed")
    assert 20 * 3600 <= news.next_at - NOW <= 28 * 3600
    assert server.asked == [{"User-Agent": "Phiomia", "Accept": "application/json"}]
    assert describe_news(news, "1.0.0", NOW)[0].startswith("1.0.2 mends a weakness")
    assert describe_news(news, "1.0.2", NOW) == [], "it was taken up"
    assert has_newer(news, "1.0.1+unreleased") and not has_newer(news, "1.0.2") and not has_newer(News(), "1.0.2")

    server.say("", 304)
    again = look(news, NOW + DAY)
    assert again.newest == "1.0.2" and server.asked[-1]["If-Modified-Since"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    stale = look(again, NOW + 15 * DAY)
    assert describe_news(stale, "1.0.2", NOW + 15 * DAY) == [
        "The feed of releases was not renewed since 2027-01-15: somebody may keep newer releases from this server."
    ]

    server.answer = FetchFailed("no connection", retry=True)
    away = look(news, NOW + DAY)
    assert away.newest == "1.0.2" and "can't be had" in away.problem and away.next_at < NOW + DAY + 5 * 3600
    server.say("gone", 404)
    assert "status 404" in (look(news, NOW + DAY)).problem
    server.say(seal(text_of(branch("1.0.0"), issued=NOW - DAY), str(key.path)))
    older = look(news, NOW + DAY)
    assert older.newest == "1.0.2" and "plays an old one back" in older.problem
    server.say(seal(text_of(branch("9.0.0"), issued=NOW + DAY), ""))
    unsigned = look(news, NOW + DAY)
    assert unsigned.newest == "1.0.2" and "is not signed" in unsigned.problem


def test_asking_tags(tmp_path: Path) -> None:
    """Without a feed, git is asked, which changes nothing in the checkout."""
    origin, live = tmp_path / "origin", tmp_path / "live"
    git = ["git", "-C", str(origin), "-c", "user.name=T", "-c", "user.email=t@mail.example"]
    origin.mkdir()
    for command in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "--quiet", origin, live], check=True)
    subprocess.run([*git, "tag", "--annotate", "--message", "x", "v99.1.0"], check=True)
    places = Places(live, tmp_path / "app")
    places.app.mkdir()
    places.current.symlink_to(live)
    config = load_config({"PHIOMIA_DATA": str(tmp_path)})
    news = asyncio.run(look_for_news(config, places, Server(), News(), NOW))
    assert (news.newest, news.urgency, news.source, news.problem) == ("99.1.0", "unknown", "tags", "")
    assert subprocess.run(["git", "-C", live, "tag"], capture_output=True, text=True, check=True).stdout == ""
    subprocess.run(["git", "-C", live, "remote", "set-url", "origin", tmp_path / "nowhere"], check=True)
    news = asyncio.run(look_for_news(config, places, Server(), news, NOW + DAY))
    assert news.newest == "99.1.0" and "Nobody says which releases there are" in news.problem


class Letters:
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.sent.append(mail)


@story(effects=True)
async def test_those_who_administrate_hear_of_it(world: World) -> None:
    """By a mail, once for each release that mends a weakness, and by a number."""
    owner, _ = await world.account("alice"), await world.account("bob")
    await world.execute("UPDATE users SET role = 3 WHERE id = :id", id=owner.user_id)
    server, letters = Server(), Letters()
    config = load_config({"PHIOMIA_UPGRADE_FEED": "https://feed.example/"})
    context: Any = SimpleNamespace(db=world.db, config=config, mailer=letters, outside=SimpleNamespace(fetcher=server))

    async def work() -> None:
        await HANDLERS["upgrade.news"].run(context, LookForNews())
        async with world.db.read() as session:
            rows = await session.all(Query.raw(sqlite="SELECT type, args FROM jobs WHERE queue = 'mail'"))
        await world.execute("DELETE FROM jobs")
        for type_, args in rows:
            handler = HANDLERS[type_]
            await handler.run(context, handler.job_type(**json.loads(args)))

    async def read() -> News:
        async with world.db.read() as session:
            return await load_news(session)

    async def is_time() -> None:
        news = await read()
        await world.write(lambda session: keep_news(session, news._replace(next_at=1)))

    await work()
    assert not server.asked and (await read()).next_at > time.time() - 5, "not at the first start of all servers"
    now = int(time.time())
    server.say(seal(text_of(branch("99.0.1"), issued=now), ""))
    await is_time()
    await work()
    assert (await read()).urgency == "routine" and letters.sent == []
    server.say(seal(text_of(branch("99.0.2", security="99.0.2"), issued=now), ""))
    await work()
    assert len(server.asked) == 1, "about once a day"
    for _ in range(2):
        await is_time()
        await work()
        await work()
    assert [(mail.to, "99.0.2 mends a weakness" in mail.subject) for mail in letters.sent] == [
        ("alice@mail.example", True)
    ]
    assert b'phiomia_update_available{urgency="security"} 1.0' in exposition()
    server.say(seal(text_of(branch("99.0.2", security="99.0.2"), issued=now, days=-1), ""))
    await is_time()
    await work()
    assert b"phiomia_update_feed_stale 1.0" in exposition()
    off = load_config({"PHIOMIA_UPGRADE_FEED": "https://feed.example/", "PHIOMIA_UPGRADE_CHECK": "off"})
    asked = len(server.asked)
    context.config = off
    await is_time()
    await work()
    assert len(server.asked) == asked and b'phiomia_update_available{urgency="security"} 0.0' in exposition()


def test_what_the_feed_says_of_a_plan(key: Key) -> None:
    """More releases than the checkout has, another commit for one of them, or nothing for too long."""
    feed = seal(text_of(branch("1.0.2", security="1.0.1")), str(key.path))
    news = News(newest="1.0.2", urgency="security", issued=NOW, expires=NOW + 14 * DAY, feed=feed)
    assert list(list_doubts(news, "1.0.1", ["1.0.0", "1.0.1"], NOW)) == [
        "There is 1.0.2, which mends a weakness. This checkout lacks it: what it is fetched from may be behind."
    ]
    assert list(list_doubts(news, "1.0.1", ["1.0.1", "1.0.2"], NOW)) == []
    (stale,) = list_doubts(news, "1.0.2", ["1.0.2"], NOW + 15 * DAY)
    assert "was not renewed since 2027-01-15" in stale
    assert list(find_contradictions(news, {"1.0.2": "c" * 40, "1.0.1": "d" * 40}, feed_line(key))) == []
    (contradiction,) = find_contradictions(news, {"1.0.2": "d" * 40}, feed_line(key))
    assert contradiction.code == "tag" and "v1.0.2 is dddddddddddd here and cccccccccccc in the feed" in str(
        contradiction
    )
