"""A person with masto, which runs in a node of its own."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from api.test_push import Device
from clients.hands import OUT_OF_BAND, SCOPES, Hands, Stream
from server import PASSWORD, PATIENCE

SCRIPT = Path(__file__).parents[1] / "node" / "story_masto.mjs"


class Refused(Exception):
    """masto has thrown something."""


class _Stream(Stream):
    """What it has brought is asked for when it is looked at."""

    def __init__(self, hands: Masto) -> None:
        self._hands = hands

    @property  # type: ignore[override]
    def heard(self) -> list[tuple[str, Any]]:
        return [(name, payload) for name, payload in self._hands.order("heard")]


class Masto(Hands):
    """Nearly everything is asked by the client. Its names are turned into the API's again."""

    def __init__(self, url: str, cleanup: ExitStack) -> None:
        super().__init__(url)
        self._node = subprocess.Popen(
            ["node", str(SCRIPT), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        cleanup.callback(self._node.communicate, timeout=PATIENCE)

    def order(self, act: str, **more: Any) -> Any:
        """What comes of it in node."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps({"act": act, "token": self.token, **more}) + "\n")
        self._node.stdin.flush()
        said = json.loads(self._node.stdout.readline())
        if "fails" in said:
            raise Refused(said["fails"])
        return to_snake(said["gives"])

    def call(self, path: str, *args: Any, kind: str = "rest", **named: Any) -> Any:
        """A method such as `v1.statuses.$.context.fetch`; the positional arguments take the places of `$`."""
        chosen = iter(args)
        steps = [["$select", next(chosen)] if step == "$" else step for step in path.split(".")]
        return self.order("call", kind=kind, path=steps, args=[to_camel(named)] if named else [])

    def sign_up(self, username: str, email: str) -> None:
        redirect = {"redirect_uris": OUT_OF_BAND, "scopes": SCOPES}
        self.app = self.call("v1.apps.create", client_name="Walk", **redirect)
        grant = {"grant_type": "client_credentials", "redirect_uri": OUT_OF_BAND, "scope": SCOPES}
        self.token = self.call("token.create", kind="oauth", **self._keys, **grant)["access_token"]
        form = {"username": username, "email": email, "password": PASSWORD, "agreement": True, "locale": "en"}
        self.token = self.call("v1.accounts.create", **form)["access_token"]

    @property
    def _keys(self) -> dict[str, str]:
        return {name: self.app[name] for name in ("client_id", "client_secret")}

    def sign_out(self) -> None:
        self.call("revoke", kind="oauth", **self._keys, token=self.token)

    def me(self) -> Any:
        return self.call("v1.accounts.verifyCredentials")

    def post(self, text: str) -> Any:
        return self.call("v1.statuses.create", status=text)

    def post_picture(self, text: str, picture: Path, description: str) -> Any:
        file = base64.b64encode(picture.read_bytes()).decode()
        made = self.call("v2.media.create", file=file, description=description)
        return self.call("v1.statuses.create", status=text, media_ids=[made["id"]])

    def reply(self, status_id: str, text: str) -> Any:
        return self.call("v1.statuses.create", status=text, in_reply_to_id=status_id)

    def show(self, status_id: str) -> Any:
        return self.call("v1.statuses.$.fetch", status_id)

    def thread(self, status_id: str) -> Any:
        return self.call("v1.statuses.$.context.fetch", status_id)

    def quote(self, status_id: str, text: str) -> Any:
        return self.call("v1.statuses.create", status=text, quoted_status_id=status_id)

    def quotes(self, status_id: str) -> Any:
        return self.call("v1.statuses.$.quotes.list", status_id)

    def edit(self, status_id: str, text: str) -> Any:
        return self.call("v1.statuses.$.update", status_id, status=text)

    def history(self, status_id: str) -> Any:
        return self.call("v1.statuses.$.history.list", status_id)

    def source(self, status_id: str) -> Any:
        return self.call("v1.statuses.$.source.fetch", status_id)

    def schedule(self, text: str, at: str) -> Any:
        return self.call("v1.statuses.create", status=text, scheduled_at=at)

    def scheduled(self) -> Any:
        return self.call("v1.scheduledStatuses.list")

    def follow(self, username: str) -> Any:
        return self.call("v1.accounts.$.follow", self._find(username))

    def _find(self, username: str) -> str:
        found: str = self.call("v1.accounts.lookup", acct=username)["id"]
        return found

    def home(self) -> Any:
        return self.call("v1.timelines.home.list")

    def own_posts(self) -> Any:
        return self.call("v1.accounts.$.statuses.list", self.me()["id"])

    def make_list(self, title: str, replies: str) -> Any:
        return self.call("v1.lists.create", title=title, replies_policy=replies)

    def make_exclusive(self, made: Any) -> Any:
        return self.call("v1.lists.$.update", made["id"], title=made["title"], exclusive=True)

    def lists(self) -> Any:
        return self.call("v1.lists.list")

    def put_on_list(self, made: Any, username: str) -> None:
        self.call("v1.lists.$.accounts.create", made["id"], account_ids=[self._find(username)])

    def on_list(self, made: Any) -> Any:
        return self.call("v1.lists.$.accounts.list", made["id"])

    def list_timeline(self, made: Any) -> Any:
        return self.call("v1.timelines.list.$.list", made["id"])

    def make_filter(self, title: str, action: str, word: str) -> Any:
        words = [{"keyword": word, "whole_word": True}]
        given = {"title": title, "context": ["home", "notifications"], "filter_action": action}
        return self.call("v2.filters.create", **given, keywords_attributes=words)

    def filters(self) -> Any:
        return self.call("v2.filters.list")

    def notifications(self) -> Any:
        return self.call("v1.notifications.list")

    def unread(self) -> int:
        return int(self.call("v1.notifications.unreadCount.fetch")["count"])

    def read_up_to(self, notification_id: str) -> None:
        self.call("v1.markers.create", notifications={"last_read_id": notification_id})

    def markers(self) -> Any:
        return self.call("v1.markers.fetch", timeline=["notifications"])

    def clear_notifications(self) -> None:
        self.call("v1.notifications.clear")

    def subscribe(self, endpoint: str, device: Device) -> Any:
        form = device.form(endpoint, alerts={"mention": True, "favourite": True}, policy="all")
        return self.call("v1.push.subscription.create", **form)

    def subscription(self) -> Any:
        return self.call("v1.push.subscription.fetch")

    @contextmanager
    def listen(self) -> Iterator[Stream]:
        streaming = self.call("v2.instance.fetch")["configuration"]["urls"]["streaming"]
        self.order("listen", streaming=streaming)
        yield _Stream(self)


def to_camel(given: Any) -> Any:
    """The same with the client's names."""
    return _rename(given, lambda name: re.sub(r"_(\w)", lambda found: found[1].upper(), name))


def to_snake(given: Any) -> Any:
    """The same with the API's names."""
    return _rename(given, lambda name: re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name))


def _rename(given: Any, rename: Any) -> Any:
    if isinstance(given, dict):
        return {rename(name): _rename(value, rename) for name, value in given.items()}
    return [_rename(one, rename) for one in given] if isinstance(given, list) else given
