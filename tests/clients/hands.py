"""What a person does, in the hands of a client. `Hands` asks by plain requests; a client replaces what it does itself.

Everything gives JSON as the API has it, whatever the client makes of it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from api.test_push import Device
from server import PASSWORD, PATIENCE

SCOPES = "read write follow push"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"


@dataclass
class Stream:
    """What a stream has brought so far."""

    heard: list[tuple[str, Any]] = field(default_factory=list)

    def statuses(self, kind: str = "update") -> dict[str, Any]:
        """The posts that came with such events, by id."""
        return {payload["id"]: payload for name, payload in list(self.heard) if name == kind}

    def kinds(self) -> set[str]:
        """The events, each once; notifications with their type."""
        named = {f"notification {load['type']}" for name, load in list(self.heard) if name == "notification"}
        return named | {name for name, _ in list(self.heard)}


class Hands:
    """A person with a token, at `url`."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self.token = token
        self.app: dict[str, str] = {}
        self.username = self.email = ""
        # Of another app, where the client does not ask for leave to have things pushed.
        self.push_token = ""
        self.push_app: dict[str, str] = {}

    def ask(self, method: str, path: str, *, token: str = "", **more: Any) -> Any:
        """The answer to one plain request, which must succeed."""
        bearer = token or self.token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        answer = requests.request(method, f"{self.url}{path}", headers=headers, timeout=PATIENCE, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def sign_up(self, username: str, email: str) -> None:
        """A new member, whose address waits to be confirmed."""
        self.username, self.email = username, email
        form = {"client_name": "Walk", "redirect_uris": OUT_OF_BAND, "scopes": SCOPES}
        self.app = self.ask("POST", "/api/v1/apps", data=form)
        keys = {name: self.app[name] for name in ("client_id", "client_secret")}
        grant = {"grant_type": "client_credentials", "scope": SCOPES, "redirect_uri": OUT_OF_BAND}
        self.token = self.ask("POST", "/oauth/token", data=keys | grant)["access_token"]
        form = {"username": username, "email": email, "password": PASSWORD, "agreement": "true", "locale": "en"}
        self.token = self.ask("POST", "/api/v1/accounts", data=form)["access_token"]

    def sign_in(self) -> None:
        """What is left to do once the address is confirmed: the token of the sign-up holds."""

    def forget(self) -> None:
        """What the client does on its own side when its owner leaves."""

    def sign_out(self) -> None:
        """Takes the token back."""
        self._revoke(self.app, self.token)
        if self.push_token:
            self._revoke(self.push_app, self.push_token)

    def _revoke(self, app: dict[str, str], token: str) -> None:
        keys = {name: app[name] for name in ("client_id", "client_secret")}
        self.ask("POST", "/oauth/revoke", data=keys | {"token": token})

    def me(self) -> Any:
        """Who I am."""
        return self.ask("GET", "/api/v1/accounts/verify_credentials")

    def post(self, text: str) -> Any:
        """A post."""
        return self.ask("POST", "/api/v1/statuses", json={"status": text})

    def post_picture(self, text: str, picture: Path, description: str) -> Any:
        """A post with a picture."""
        files = {"file": (picture.name, picture.read_bytes(), "image/png")}
        made = self.ask("POST", "/api/v2/media", files=files, data={"description": description})
        return self.ask("POST", "/api/v1/statuses", json={"status": text, "media_ids": [made["id"]]})

    def reply(self, status_id: str, text: str) -> Any:
        """An answer to a post."""
        return self.ask("POST", "/api/v1/statuses", json={"status": text, "in_reply_to_id": status_id})

    def show(self, status_id: str) -> Any:
        """A post."""
        return self.ask("GET", f"/api/v1/statuses/{status_id}")

    def thread(self, status_id: str) -> Any:
        """What is above and below a post."""
        return self.ask("GET", f"/api/v1/statuses/{status_id}/context")

    def quote(self, status_id: str, text: str) -> Any:
        """A post that quotes another."""
        return self.ask("POST", "/api/v1/statuses", json={"status": text, "quoted_status_id": status_id})

    def quotes(self, status_id: str) -> Any:
        """Who quotes a post."""
        return self.ask("GET", f"/api/v1/statuses/{status_id}/quotes")

    def revoke_quote(self, status_id: str, quoting_id: str) -> Any:
        """Takes one's own post out of another's quote."""
        return self.ask("POST", f"/api/v1/statuses/{status_id}/quotes/{quoting_id}/revoke")

    def let_quote(self, status_id: str, who: str) -> Any:
        """Says who may quote a post of one's own."""
        return self.ask("PUT", f"/api/v1/statuses/{status_id}/interaction_policy", json={"quote_approval_policy": who})

    def edit(self, status_id: str, text: str) -> Any:
        """Other words for a post."""
        return self.ask("PUT", f"/api/v1/statuses/{status_id}", json={"status": text})

    def history(self, status_id: str) -> Any:
        """All that a post has said."""
        return self.ask("GET", f"/api/v1/statuses/{status_id}/history")

    def source(self, status_id: str) -> Any:
        """A post as it was typed."""
        return self.ask("GET", f"/api/v1/statuses/{status_id}/source")

    def schedule(self, text: str, at: str) -> Any:
        """A post for later."""
        return self.ask("POST", "/api/v1/statuses", json={"status": text, "scheduled_at": at})

    def scheduled(self) -> Any:
        """The posts for later."""
        return self.ask("GET", "/api/v1/scheduled_statuses")

    def follow(self, username: str) -> Any:
        """Follows somebody of this server."""
        found = self.ask("GET", "/api/v1/accounts/lookup", params={"acct": username})
        return self.ask("POST", f"/api/v1/accounts/{found['id']}/follow")

    def home(self) -> Any:
        """The home timeline."""
        return self.ask("GET", "/api/v1/timelines/home")

    def own_posts(self) -> Any:
        """What I have posted."""
        return self.ask("GET", f"/api/v1/accounts/{self.me()['id']}/statuses")

    def make_list(self, title: str, replies: str) -> Any:
        """A list with that policy about replies."""
        return self.ask("POST", "/api/v1/lists", json={"title": title, "replies_policy": replies})

    def make_exclusive(self, made: Any) -> Any:
        """Takes what is on a list out of the home timeline."""
        return self.ask("PUT", f"/api/v1/lists/{made['id']}", json={"title": made["title"], "exclusive": True})

    def lists(self) -> Any:
        """My lists."""
        return self.ask("GET", "/api/v1/lists")

    def put_on_list(self, made: Any, username: str) -> None:
        """Adds somebody to a list."""
        found = self.ask("GET", "/api/v1/accounts/lookup", params={"acct": username})
        self.ask("POST", f"/api/v1/lists/{made['id']}/accounts", json={"account_ids": [found["id"]]})

    def on_list(self, made: Any) -> Any:
        """Who is on a list."""
        return self.ask("GET", f"/api/v1/lists/{made['id']}/accounts")

    def list_timeline(self, made: Any) -> Any:
        """What a list shows."""
        return self.ask("GET", f"/api/v1/timelines/list/{made['id']}")

    def make_filter(self, title: str, action: str, word: str) -> Any:
        """A filter of one word, for the home timeline and notifications."""
        given = {"title": title, "context": ["home", "notifications"], "filter_action": action}
        words = [{"keyword": word, "whole_word": True}]
        return self.ask("POST", "/api/v2/filters", json=given | {"keywords_attributes": words})

    def filters(self) -> Any:
        """My filters."""
        return self.ask("GET", "/api/v2/filters")

    def notifications(self) -> Any:
        """What I have been told, the newest first."""
        return self.ask("GET", "/api/v1/notifications")

    def unread(self) -> int:
        """How much of it is new."""
        counted: int = self.ask("GET", "/api/v1/notifications/unread_count")["count"]
        return counted

    def read_up_to(self, notification_id: str) -> None:
        """Remembers how far I have read."""
        self.ask("POST", "/api/v1/markers", json={"notifications": {"last_read_id": notification_id}})

    def markers(self) -> Any:
        """How far I have read."""
        return self.ask("GET", "/api/v1/markers", params={"timeline[]": ["notifications"]})

    def clear_notifications(self) -> None:
        """Forgets them all."""
        self.ask("POST", "/api/v1/notifications/clear")

    def subscribe(self, endpoint: str, device: Device) -> Any:
        """Has mentions and favourites pushed to a device."""
        form = device.form(endpoint, alerts={"mention": True, "favourite": True}, policy="all")
        return self.ask("POST", "/api/v1/push/subscription", token=self.push_token, json=form)

    def subscription(self) -> Any:
        """Where is pushed to."""
        return self.ask("GET", "/api/v1/push/subscription", token=self.push_token)

    @contextmanager
    def listen(self) -> Iterator[Stream]:
        """What comes on my own stream."""
        stream = Stream()
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.url}/api/v1/streaming/user"
        with requests.get(address, headers=headers, stream=True, timeout=PATIENCE) as answer:
            assert answer.ok, answer.status_code
            threading.Thread(target=_listen, args=(answer, stream), daemon=True).start()
            yield stream


def _listen(answer: requests.Response, stream: Stream) -> None:
    name = ""
    try:
        for raw in answer.iter_lines(chunk_size=1):
            line = bytes(raw).decode()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                note(stream, name, line.removeprefix("data: "))
    except (requests.RequestException, AttributeError, ValueError):
        return  # who listened has closed it


def note(stream: Stream, name: str, payload: Any) -> None:
    """Adds what came; what is JSON in JSON is opened."""
    stream.heard.append((name, json.loads(payload) if isinstance(payload, str) and payload[:1] in "{[" else payload))


# They ask the server nothing, if a client does not do something of its own there.
_SILENT = {"sign_in", "forget"}


def list_acts() -> set[str]:
    """What a person does in the story."""
    acts = {name for name, value in vars(Hands).items() if callable(value) and not name.startswith("_")}
    return acts - _SILENT - {"ask"}


def asked_plainly(hands: type[Hands]) -> set[str]:
    """What a client leaves to plain requests."""
    return {name for name in list_acts() if name not in vars(hands)}
