"""A person who types commands of toot."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clients.hands import Hands
from clients.test_toot import Toot
from server import Member, RunningServer


class TootHands(Hands):
    """What toot has no command for is asked plainly, with the token that toot has got."""

    def __init__(self, url: str, server: RunningServer, home: Path, cleanup: ExitStack) -> None:
        super().__init__(url)
        self._server = server
        self._toot = Toot(home, cleanup)
        self._config = home / "config" / "toot" / "config.json"

    def sign_in(self) -> None:
        self.push_token, self.push_app = self.token, self.app
        member = Member(self.username, self.email, self.token, "")
        place: Any = SimpleNamespace(url=self.url, authorize=self._server.authorize)
        self._toot.log_in(place, member)
        self.token = _one(_read(self._config)["users"])["access_token"]
        self.app = _one(_read(self._config)["apps"])

    def forget(self) -> None:
        # toot forgets the token, but leaves it good.
        self._toot("logout", next(iter(_read(self._config)["users"])))

    def post(self, text: str) -> Any:
        return self._toot.json("post", text)

    def post_picture(self, text: str, picture: Path, description: str) -> Any:
        return self._toot.json("post", text, "--media", str(picture), "--description", description)

    def reply(self, status_id: str, text: str) -> Any:
        return self._toot.json("post", text, "--reply-to", status_id)

    def show(self, status_id: str) -> Any:
        return self._toot.json("status", status_id)

    def thread(self, status_id: str) -> Any:
        return self._toot.json("thread", status_id)

    def schedule(self, text: str, at: str) -> Any:
        return self._toot.json("post", text, "--scheduled-at", at)

    def follow(self, username: str) -> Any:
        return self._toot.json("follow", username)

    def home(self) -> Any:
        return self._toot.json("timelines", "home")

    def own_posts(self) -> Any:
        return self._toot.json("timelines", "account", self.username)

    def make_list(self, title: str, replies: str) -> Any:
        return self._toot.json("lists", "create", title, "--replies-policy", replies)

    def lists(self) -> Any:
        return self._toot.json("lists", "list")

    def put_on_list(self, made: Any, username: str) -> None:
        self._toot("lists", "add", made["title"], username)

    def on_list(self, made: Any) -> Any:
        return self._toot.json("lists", "accounts", made["title"])

    def list_timeline(self, made: Any) -> Any:
        return self._toot.json("timelines", "list", made["title"])

    def notifications(self) -> Any:
        return self._toot.json("notifications")

    def clear_notifications(self) -> None:
        self._toot("notifications", "--clear")


def _read(path: Path) -> Any:

    return json.loads(path.read_text())


def _one(things: dict[str, Any]) -> Any:
    (only,) = things.values()
    return only
