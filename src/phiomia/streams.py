"""Fulfils the streaming role's ports with what the rest of the server knows; joined in `app.py`."""

from collections.abc import Mapping, Sequence

from phiomia.domain.instance.probes import PROBE_ACCOUNT, PROBE_BEARER, find_probe_by_secret
from phiomia.domain.oauth.bearers import Bearers
from phiomia.domain.oauth.scopes import expand
from phiomia.domain.timelines.streams import find_public_audience, owns_list
from phiomia.entities.announcement import render_announcement_for_all
from phiomia.entities.for_streams import (
    render_conversation,
    render_filtered,
    render_for_viewers,
    render_notification,
)
from phiomia.entities.fragments import Fragments
from phiomia.platform.db import Database
from phiomia.streaming.log_events import StatusEvent
from phiomia.streaming.ports import StreamViewer

_NO_FILTERS = b"[]"
# Tokens of people have other numbers.
_PROBE_TOKEN_ID = 0


class Listeners:
    """Who may listen."""

    def __init__(self, db: Database, bearers: Bearers) -> None:
        self._db = db
        self._bearers = bearers

    async def viewer(self, token: str) -> StreamViewer | None:
        """The person behind a token, or the upgrade that is under way."""
        if token.startswith(PROBE_BEARER):
            return await self._find_probe(token)
        bearer = await self._bearers.find(token)
        if bearer is None or bearer.account_id is None or bearer.disabled or bearer.suspended:
            return None
        if not bearer.confirmed or not bearer.approved:
            return None
        languages = list(bearer.languages) or None
        return StreamViewer(bearer.account_id, bearer.token_id, expand(bearer.scopes), languages)

    async def _find_probe(self, token: str) -> StreamViewer | None:
        async with self._db.read() as session:
            probe = await find_probe_by_secret(session, token)
        scopes = frozenset({"read:statuses"})
        return None if probe is None else StreamViewer(PROBE_ACCOUNT, _PROBE_TOKEN_ID, scopes, None)

    def forget(self) -> None:
        """Looks every token up anew from now on."""
        self._bearers.forget()

    async def owns_list(self, viewer: StreamViewer, list_id: int) -> bool:
        """Whether the list is theirs."""
        async with self._db.read() as session:
            return await owns_list(session, viewer.account_id, list_id)


class Renderings:
    """What is shown to them."""

    def __init__(self, db: Database, fragments: Fragments) -> None:
        self._db = db
        self._fragments = fragments

    async def statuses(self, status_id: int, viewers: Sequence[int | None]) -> Mapping[int | None, bytes]:
        """A status for each of the viewers."""
        async with self._db.read() as session:
            return await render_for_viewers(self._fragments, session, status_id, viewers)

    async def public_audience(self, status: StatusEvent, viewers: Sequence[StreamViewer]) -> Mapping[int, bytes]:
        """Who of the viewers is shown a public status."""
        wanting = [
            viewer.account_id for viewer in viewers if not viewer.languages or status.language in viewer.languages
        ]
        async with self._db.read() as session:
            shown = await find_public_audience(session, status.id, wanting)
            filtered = await render_filtered(self._fragments, session, status.id, sorted(shown))
        return dict.fromkeys(shown, _NO_FILTERS) | filtered

    async def notification(self, notification_id: int, viewer: int) -> bytes | None:
        """A notification."""
        async with self._db.read() as session:
            return await render_notification(self._fragments, session, notification_id, viewer)

    async def announcement(self, announcement_id: int) -> bytes | None:
        """An announcement."""
        async with self._db.read() as session:
            return await render_announcement_for_all(self._fragments.links, session, announcement_id)

    async def conversation(self, conversation_id: int, viewer: int) -> bytes | None:
        """A conversation."""
        async with self._db.read() as session:
            return await render_conversation(self._fragments, session, conversation_id, viewer)
