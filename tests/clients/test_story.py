"""The same weeks of a person's life with three clients, as they come from their registries, against a running server.

Everything they ask goes through a recorder. In the end nothing may have been refused or have failed but what the story
itself foresees; and after each step what was made is looked for where it must be.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import pyvips
import requests

from api.test_push import Device
from clients.hands import Hands, asked_plainly, list_acts
from clients.hands_of_masto import Masto
from clients.hands_of_mastodon_py import MastodonPy
from clients.hands_of_toot import TootHands
from clients.push_service import PushService, run_push_service
from clients.recorder import Recorder, run_recorder
from federation.authority import authority
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Query, open_database
from postgresql import find_free_port
from server import PASSWORD, PATIENCE, RunningServer
from web.browser import Forms

PAGE = Path(__file__).parents[2] / "docs/develop/walks.md"
# Much of it waits for its turn: scheduled posts are looked for every quarter of a minute.
pytestmark = pytest.mark.timeout(300)
CLIENTS: dict[str, type[Hands]] = {"Mastodon.py": MastodonPy, "masto": Masto, "toot": TootHands}


@dataclass
class Stage:
    """A server that wants addresses confirmed, with a recorder before it and a push service beside it."""

    server: RunningServer
    recorder: Recorder
    push: PushService

    def friend(self, name: str) -> tuple[str, Hands]:
        """Somebody who is there already: the name, and what they do by plain requests."""
        member = self.server.sign_up(name, lambda email: confirm(self.link_mailed_to(email)))
        return member.username, Hands(self.recorder.url, member.token)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """See `RunningServer.until`."""
        return self.server.until(condition, what)

    def link_mailed_to(self, email: str) -> str:
        """The address in the mail that waits for somebody."""
        return str(self.until(lambda: self._find_link(email), f"a mail for {email} is in the outbox"))

    def _find_link(self, email: str) -> str:
        for path in (self.server.data / "outbox").glob("*.eml"):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            body = message.get_body(("plain",))
            if message["To"] == email and body is not None:
                return next(line for line in body.get_content().splitlines() if line.startswith(self.recorder.url))
        return ""

    def pass_time(self, scheduled_id: str) -> None:
        """The moment has come for which a post was scheduled."""
        database = self.server.database_url or f"sqlite:///{self.server.data / 'phiomia.sqlite3'}"
        sql = "UPDATE scheduled_statuses SET scheduled_at = :now WHERE id = :id"
        assert asyncio.run(_execute(database, sql, now=now_ms(), id=int(scheduled_id))) == 1


async def _execute(url: str, sql: str, **parameters: Any) -> int:
    database = open_database(url)
    await database.start()
    try:
        return await database.write(lambda session: session.execute(Query.raw(sqlite=sql), **parameters))
    finally:
        await database.close()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def stage(request: pytest.FixtureRequest, databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for all clients."""
    folder = tmp_path_factory.mktemp("story")
    with ExitStack() as cleanup:
        url = "" if request.param == "sqlite" else databases.as_started(request.param, folder, cleanup)
        push = cleanup.enter_context(run_push_service(authority().server_context("127.0.0.1")))
        port = find_free_port()
        settings = {
            "PHIOMIA_CONFIRM_EMAIL": "on",
            "PHIOMIA_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PHIOMIA_ALLOW_PRIVATE": "127.0.0.0/8",
            "SSL_CERT_FILE": str(authority().file),
        }
        server = RunningServer(folder / "server", url, settings)
        recorder = cleanup.enter_context(run_recorder(port, server.bind))
        yield Stage(cleanup.enter_context(server), recorder, push)


@pytest.fixture
def hands(stage: Stage, client: str, tmp_path: Path) -> Iterator[Hands]:
    """A person with that client, who has not signed up yet."""
    with ExitStack() as cleanup:
        if client == "masto":
            yield Masto(stage.recorder.url, cleanup)
        elif client == "toot":
            yield TootHands(stage.recorder.url, stage.server, tmp_path / "home", cleanup)
        else:
            yield MastodonPy(stage.recorder.url)


@pytest.mark.parametrize("client", ["Mastodon.py", pytest.param("masto", marks=pytest.mark.node), "toot"])
def test_story(stage: Stage, hands: Hands, tmp_path: Path) -> None:
    start = len(stage.recorder.answers)
    story = Story(stage, hands, tmp_path)
    story.live()
    stage.recorder.excuse_streams(story.left_at)
    assert stage.recorder.faults(start) == []
    assert len(stage.recorder.answers) - start > 80
    stage.server.check_log()


@pytest.mark.parametrize("name", CLIENTS)
def test_the_page_says_what_clients_leave_to_plain_requests(name: str) -> None:
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in PAGE.read_text().splitlines()]
    heads = next(row for row in rows if row[0] == "what the person does")
    table = {row[0].strip("`"): row[heads.index(name)] for row in rows if len(row) == len(heads) and row[0][:1] == "`"}
    assert set(table) == list_acts()
    assert {act for act, how in table.items() if how.startswith("plain")} == asked_plainly(CLIENTS[name])


@dataclass
class Story:
    """Alice's: she has the client, Bob and Carol ask plainly."""

    stage: Stage
    alice: Hands
    folder: Path

    def live(self) -> None:
        """All of it, in order."""
        self.sign_up()
        self.meet()
        self.subscribe()
        self.post()
        self.schedule()
        self.talk()
        self.quote()
        self.edit()
        self.filter()
        self.list()
        self.look_back()
        self.come_out()
        self.sign_out()

    def sign_up(self) -> None:
        self.mark = secrets.token_hex(3)
        self.name = f"alice{self.mark}"
        email = f"{self.name}@mail.example"
        self.alice.sign_up(self.name, email)
        with self.stage.recorder.refusing(403):
            Hands.home(self.alice)
        confirm(self.stage.link_mailed_to(email))
        self.alice.sign_in()
        assert self.alice.me()["username"] == self.name

    def meet(self) -> None:
        self.bob_name, self.bob = self.stage.friend("bob")
        self.carol_name, self.carol = self.stage.friend("carol")
        for name in (self.bob_name, self.carol_name):
            assert self.alice.follow(name)["following"]
        self.bob.follow(self.name)
        assert kinds(self.alice.notifications()) == ["follow"]

    def subscribe(self) -> None:
        self.device = Device()
        endpoint = f"{self.stage.push.url}/{self.name}"
        assert self.alice.subscribe(endpoint, self.device)["endpoint"] == endpoint
        assert self.alice.subscription()["alerts"]["mention"]
        assert not self.alice.subscription()["alerts"]["follow"]

    def post(self) -> None:
        first = self.alice.post(f"Hello, I am #new{self.mark}")
        path = self.folder / "picture.png"
        pyvips.Image.black(60, 40, bands=3).write_to_file(str(path))
        self.second = self.alice.post_picture("What I see", path, "darkness")
        shown = self.alice.show(self.second["id"])["media_attachments"]
        assert [one["description"] for one in shown] == ["darkness"]
        assert shown[0]["meta"]["original"]["width"] == 60
        assert requests.get(shown[0]["url"], timeout=PATIENCE).content[:4] == b"\x89PNG"
        assert ids(self.alice.own_posts()) == [self.second["id"], first["id"]]
        assert ids(self.alice.home()) == [self.second["id"], first["id"]]
        assert ids(self.bob.home()) == [self.second["id"], first["id"]]
        tagged = self.bob.ask("GET", f"/api/v1/timelines/tag/new{self.mark}")
        assert ids(tagged) == [first["id"]]

    def schedule(self) -> None:
        at = (datetime.now(UTC) + timedelta(minutes=10)).isoformat(timespec="milliseconds")
        made = self.alice.schedule(f"In good time {self.mark}", at)
        assert ids(self.alice.scheduled()) == [made["id"]]
        assert self.alice.scheduled()[0]["params"]["text"] == f"In good time {self.mark}"
        self.stage.pass_time(made["id"])

    def talk(self) -> None:
        with self.alice.listen() as stream:
            # Nothing tells a client that its stream is open, but what comes on it.
            self.stage.until(lambda: self.carol.post("Knock") and stream.kinds(), "something comes")
            asked = self.bob.reply(self.second["id"], f"@{self.name} what is it?")
            answered = self.alice.reply(asked["id"], f"@{self.bob_name} nothing yet")
            self.stage.until(lambda: "notification mention" in stream.kinds(), "the mention comes")
            self.stage.until(lambda: asked["id"] in stream.statuses(), "the reply comes")
        assert ids(self.alice.thread(self.second["id"])["descendants"]) == [asked["id"], answered["id"]]
        assert ids(self.alice.thread(answered["id"])["ancestors"]) == [self.second["id"], asked["id"]]
        assert kinds(self.alice.notifications()) == ["mention", "follow"]
        pushed = self.stage.until(self._pushed, "the mention is pushed")
        (message,) = pushed
        assert message["notification_type"] == "mention"
        assert str(message["notification_id"]) == str(self.alice.notifications()[0]["id"])
        assert "what is it?" in message["body"]

    def _pushed(self) -> list[dict[str, Any]]:
        return self.stage.push.read(self.name, self.device)

    def quote(self) -> None:
        asked = self.bob.quote(self.second["id"], "Look at this")
        assert asked["quote"]["state"] == "accepted"
        assert asked["quote"]["quoted_status"]["id"] == self.second["id"]
        assert ids(self.alice.quotes(self.second["id"])) == [asked["id"]]
        assert kinds(self.alice.notifications())[0] == "quote"
        assert self.alice.revoke_quote(self.second["id"], asked["id"])["quote"]["state"] == "revoked"
        assert self.alice.quotes(self.second["id"]) == []
        seen = self.bob.show(asked["id"])["quote"]
        assert (seen["state"], seen["quoted_status"]) == ("revoked", None)

        own = self.alice.quote(asked["id"], "Let us talk about it")
        assert self.alice.show(own["id"])["quote"]["quoted_status"]["id"] == asked["id"]
        assert self.alice.let_quote(own["id"], "nobody")["quote_approval"]["automatic"] == []
        with self.stage.recorder.refusing(404):
            self.bob.quote(own["id"], "And so on")
        assert self.alice.let_quote(own["id"], "public")["quote_approval"]["automatic"] == ["public"]
        again = self.bob.quote(own["id"], "And so on")
        assert ids(self.alice.quotes(own["id"])) == [again["id"]]
        thread = self.bob.reply(own["id"], "Yes, let us")
        assert ids(self.alice.thread(own["id"])["descendants"]) == [thread["id"]]

    def edit(self) -> None:
        made = self.alice.post("Frist")
        self.bob.ask("POST", f"/api/v1/statuses/{made['id']}/reblog")
        assert self.alice.edit(made["id"], "First")["edited_at"]
        assert [plain(one) for one in self.alice.history(made["id"])] == ["Frist", "First"]
        assert self.alice.source(made["id"])["text"] == "First"
        assert plain(self.alice.show(made["id"])) == "First"
        self.stage.until(lambda: kinds(self.bob.notifications())[0] == "update", "Bob hears of the edit")

    def filter(self) -> None:
        mild, wild = f"mild{self.mark}", f"wild{self.mark}"
        self.alice.make_filter("Mild things", "warn", mild)
        self.alice.make_filter("Wild things", "hide", wild)
        made = [(one["title"], one["filter_action"]) for one in self.alice.filters()]
        assert sorted(made) == [("Mild things", "warn"), ("Wild things", "hide")]
        with self.alice.listen() as stream:
            self.stage.until(lambda: self.carol.post("Knock") and stream.kinds(), "something comes")
            posts = [self.bob.post(f"@{self.name} see, {word}!")["id"] for word in (mild, wild, "nothing")]
            self.stage.until(lambda: posts[2] in stream.statuses(), "the posts come")
            streamed = stream.statuses()
        told = {one["status"]["id"]: one["status"] for one in self.alice.notifications() if one.get("status")}
        home = {one["id"]: one for one in self.alice.home()}
        # Clients hide what they are told to hide.
        for where in (home, told, streamed):
            assert [actions(where[one]) for one in posts] == [["warn"], ["hide"], []]

    def list(self) -> None:
        before = self.bob.post("Before the list")
        assert before["id"] in ids(self.alice.home())
        made = self.alice.make_list("Close", "none")
        assert (made["title"], made["replies_policy"]) == ("Close", "none")
        self.alice.put_on_list(made, self.bob_name)
        assert [one["title"] for one in self.alice.lists()] == ["Close"]
        assert [one["username"] for one in self.alice.on_list(made)] == [self.bob_name]
        assert self.alice.make_exclusive(made)["exclusive"]
        assert self.alice.lists()[0]["replies_policy"] == "none"
        knock = self.carol.post("What about you?")
        post = self.bob.post("For the list")
        reply = self.bob.reply(knock["id"], f"@{self.carol_name} fine")
        self.stage.until(lambda: post["id"] in ids(self.alice.list_timeline(made)), "the list has the post")
        assert reply["id"] not in ids(self.alice.list_timeline(made))
        assert post["id"] not in ids(self.alice.home())
        assert knock["id"] in ids(self.alice.home())

    def look_back(self) -> None:
        told = self.alice.notifications()
        assert kinds(told)[-2:] == ["mention", "follow"]
        assert self.alice.unread() == len(told)
        self.alice.read_up_to(told[0]["id"])
        assert self.alice.markers()["notifications"]["last_read_id"] == told[0]["id"]
        assert self.alice.unread() == 0
        self.alice.clear_notifications()
        assert self.alice.notifications() == []

    def come_out(self) -> None:
        wanted = f"In good time {self.mark}"
        self.stage.until(lambda: wanted in map(plain, self.alice.own_posts()), "the scheduled post is out")
        assert self.alice.scheduled() == []
        assert wanted in map(plain, self.bob.home())

    def sign_out(self) -> None:
        self.alice.forget()
        self.left_at = len(self.stage.recorder.answers)
        self.alice.sign_out()
        with self.stage.recorder.refusing(401):
            Hands.me(self.alice)
        pushed, witness = len(self._pushed()), Device()
        self.bob.subscribe(f"{self.stage.push.url}/{self.bob_name}", witness)
        self.carol.post(f"@{self.name} still there?")
        self.carol.post(f"@{self.bob_name} she has left")
        self.stage.until(lambda: self.stage.push.read(self.bob_name, witness), "Bob is told")
        assert len(self._pushed()) == pushed


def confirm(link: str) -> None:
    """Follows the link in a mail, and says yes."""
    browser = requests.Session()
    page = browser.get(link, timeout=PATIENCE)
    assert page.ok, page.text
    action, fields = next(form for form in Forms(page.text).forms if form[0] == "/auth/confirm")
    assert fields["token"]
    done = browser.post(requests.compat.urljoin(page.url, action), data=fields, timeout=PATIENCE)
    assert done.ok, done.text


def ids(things: Any) -> list[str]:
    """Theirs, in order."""
    return [str(thing["id"]) for thing in things]


def kinds(notifications: Any) -> list[str]:
    """Their types, in order."""
    return [one["type"] for one in notifications]


def plain(status: Any) -> str:
    """The words of a post."""
    return re.sub(r"<[^>]+>", "", status["content"])


def actions(status: Any) -> list[str]:
    """What the filters that match a post want done with it."""
    return [one["filter"]["filter_action"] for one in status["filtered"]]


@pytest.mark.browser
def test_pages_of_the_same_person(stage: Stage, chromium: str, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    start = len(stage.recorder.answers)
    story = Story(stage, MastodonPy(stage.recorder.url), tmp_path)
    for chapter in (story.sign_up, story.meet, story.subscribe, story.post, story.talk, story.quote):
        chapter()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            look_around(browser.new_context(java_script_enabled=False).new_page(), story)
        finally:
            browser.close()
    assert stage.recorder.faults(start) == []
    stage.server.check_log()


def look_around(page: Any, story: Story) -> None:
    """Profile and post as anybody sees them; then Alice signs in, looks at her settings, and leaves."""
    url = story.stage.recorder.url
    page.goto(f"{url}/@{story.name}")
    said = page.inner_text("main")
    assert f"@{story.name}" in said
    assert "What I see" in said
    assert f"Hello, I am #new{story.mark}" in said
    pictures = page.locator("main article img[alt='darkness']")
    assert pictures.count() == 1
    assert pictures.evaluate("picture => picture.complete && picture.naturalWidth > 0")

    page.goto(story.alice.show(story.second["id"])["url"])
    said = page.inner_text("main")
    assert [text in said for text in ("What I see", "what is it?", "nothing yet")] == [True] * 3
    # Its author has taken the post out of this one again.
    quoting = next(one for one in story.bob.own_posts() if "Look at this" in one["content"])
    page.goto(quoting["url"])
    assert "Look at this" in page.inner_text("main")
    assert "What I see" not in page.inner_text("main")

    page.goto(f"{url}/auth/sign_in")
    page.get_by_label("E-mail").fill(f"{story.name}@mail.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    page.goto(f"{url}/oauth/authorized_applications")
    assert "Walk" in page.inner_text("main")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").first.wait_for()
