"""A person with Mastodon.py."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from mastodon import Mastodon, StreamListener

from api.test_push import Device
from clients.hands import Hands, Stream, note
from server import PASSWORD, PATIENCE

SCOPES = ["read", "write", "follow", "push"]


class _Ears(StreamListener):  # type: ignore[misc]  # its types are not there
    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def on_any_event(self, name: str, data: Any) -> None:
        note(self.stream, name, data)


class MastodonPy(Hands):
    """Nearly everything is asked by the client."""

    client: Mastodon

    def sign_up(self, username: str, email: str) -> None:
        keys = Mastodon.create_app("Walk", scopes=SCOPES, api_base_url=self.url)
        self.client = Mastodon(*keys, api_base_url=self.url, request_timeout=PATIENCE, ratelimit_method="throw")
        self.token = self.client.create_account(username, PASSWORD, email, agreement=True, scopes=SCOPES)

    def sign_out(self) -> None:
        self.client.revoke_access_token(allow_http=True)

    def me(self) -> Any:
        return self.client.me()

    def post(self, text: str) -> Any:
        return self.client.status_post(text)

    def post_picture(self, text: str, picture: Path, description: str) -> Any:
        made = self.client.media_post(str(picture), description=description, synchronous=True)
        return self.client.status_post(text, media_ids=[made])

    def reply(self, status_id: str, text: str) -> Any:
        return self.client.status_reply(self.client.status(status_id), text)

    def show(self, status_id: str) -> Any:
        return self.client.status(status_id)

    def thread(self, status_id: str) -> Any:
        return self.client.status_context(status_id)

    def quote(self, status_id: str, text: str) -> Any:
        return self.client.status_post(text, quoted_status_id=status_id)

    def quotes(self, status_id: str) -> Any:
        return self.client.status_quotes(status_id)

    def revoke_quote(self, status_id: str, quoting_id: str) -> Any:
        return self.client.status_quote_revoke(status_id, quoting_id)

    def let_quote(self, status_id: str, who: str) -> Any:
        return self.client.status_update_quote_approval_policy(status_id, who)

    def edit(self, status_id: str, text: str) -> Any:
        return self.client.status_update(status_id, text)

    def history(self, status_id: str) -> Any:
        return self.client.status_history(status_id)

    def source(self, status_id: str) -> Any:
        return self.client.status_source(status_id)

    def schedule(self, text: str, at: str) -> Any:
        return self.client.status_post(text, scheduled_at=datetime.fromisoformat(at))

    def scheduled(self) -> Any:
        return self.client.scheduled_statuses()

    def follow(self, username: str) -> Any:
        return self.client.account_follow(self.client.account_lookup(username))

    def home(self) -> Any:
        return self.client.timeline_home()

    def own_posts(self) -> Any:
        return self.client.account_statuses(self.client.me())

    def make_list(self, title: str, replies: str) -> Any:
        return self.client.list_create(title, replies_policy=replies)

    def make_exclusive(self, made: Any) -> Any:
        return self.client.list_update(made, made.title, replies_policy=made.replies_policy, exclusive=True)

    def lists(self) -> Any:
        return self.client.lists()

    def put_on_list(self, made: Any, username: str) -> None:
        self.client.list_accounts_add(made, self.client.account_lookup(username))

    def on_list(self, made: Any) -> Any:
        return self.client.list_accounts(made)

    def list_timeline(self, made: Any) -> Any:
        return self.client.timeline_list(made)

    def make_filter(self, title: str, action: str, word: str) -> Any:
        words = [{"keyword": word, "whole_word": True}]
        return self.client.create_filter_v2(title, ["home", "notifications"], action, keywords_attributes=words)

    def filters(self) -> Any:
        return self.client.filters_v2()

    def notifications(self) -> Any:
        return self.client.notifications()

    def unread(self) -> int:
        counted = self.client.notifications_unread_count()
        return int(counted if isinstance(counted, int) else counted["count"])

    def read_up_to(self, notification_id: str) -> None:
        self.client.markers_set("notifications", notification_id)

    def markers(self) -> Any:
        return self.client.markers_get("notifications")

    def clear_notifications(self) -> None:
        self.client.notifications_clear()

    def subscribe(self, endpoint: str, device: Device) -> Any:
        keys = {"pubkey": device.point, "auth": device.auth}
        chosen = {"mention_events": True, "favourite_events": True, "standard": True}
        return self.client.push_subscription_set(endpoint, keys, **chosen)

    def subscription(self) -> Any:
        return self.client.push_subscription()

    @contextmanager
    def listen(self) -> Iterator[Stream]:
        stream = Stream()
        # With connections of its own: closing a stream takes the connection from whoever has got it next.
        client = Mastodon(access_token=self.client.access_token, api_base_url=self.url)
        handle = client.stream_user(_Ears(stream), run_async=True, timeout=PATIENCE)
        try:
            yield stream
        finally:
            # It waits for what comes next on the stream.
            threading.Thread(target=handle.close, daemon=True).start()
