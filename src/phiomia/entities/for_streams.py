"""Entities for many viewers at once: a status is spliced once for each distinct set of flags."""

from collections.abc import Mapping, Sequence

from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.queries import find_notification
from phiomia.domain.statuses.conversations import load_conversation
from phiomia.domain.statuses.marks_of_many import marks_for_viewers
from phiomia.domain.statuses.queries import rows_of
from phiomia.domain.timelines.streams import find_audience
from phiomia.entities.conversation import render_conversations
from phiomia.entities.fragments import Fragments
from phiomia.entities.notification import render_notifications
from phiomia.platform.db import ReadSession


async def render_for_viewers(
    fragments: Fragments, session: ReadSession, status_id: int, viewers: Sequence[int | None]
) -> Mapping[int | None, bytes]:
    """The status for each viewer; those who may not see it are left out."""
    row = (await rows_of(session, [status_id], None)).get(status_id)
    if row is None:
        return {}
    people = [viewer for viewer in viewers if viewer is not None]
    seeing = await find_audience(session, status_id, people) if people else set()
    made: dict[int | None, bytes] = {}
    if None in viewers:
        made[None] = await fragments.one(session, row, None)
    marks = await marks_for_viewers(session, row, sorted(seeing)) if seeing else {}
    filtering = await fragments.filtering.known.of_many(session, sorted(seeing)) if seeing else {}
    plain = row._replace(marks=0)
    shared: bytes | None = None
    for viewer in people:
        if viewer not in seeing:
            continue
        own = marks.get(viewer, 0)
        if not own and viewer != row.account_id and viewer not in filtering and not fragments.differs(row):
            if shared is None:
                shared = await fragments.one(session, plain, viewer)
            made[viewer] = shared
        else:
            made[viewer] = await fragments.one(session, plain._replace(marks=own), viewer)
    return made


async def render_filtered(
    fragments: Fragments, session: ReadSession, status_id: int, viewers: Sequence[int]
) -> dict[int, bytes]:
    """What their filters say of a status, for those of the viewers who have any."""
    matchers = await fragments.filtering.known.of_many(session, viewers)
    row = (await rows_of(session, [status_id], None)).get(status_id) if matchers else None
    if row is None:
        return {}
    entity = [await fragments.one(session, row, None)]
    return {viewer: fragments.filtering.results(matcher, row, entity, viewer) for viewer, matcher in matchers.items()}


async def render_notification(
    fragments: Fragments, session: ReadSession, notification_id: int, viewer: int
) -> bytes | None:
    """One notification, or None when it is gone."""
    try:
        row = await find_notification(session, viewer, notification_id)
    except NotFound:
        return None
    shown = await render_notifications(fragments, session, [row], viewer)
    return shown[0] if shown else None


async def render_conversation(
    fragments: Fragments, session: ReadSession, conversation_id: int, viewer: int
) -> bytes | None:
    """One conversation, or None when it is gone."""
    try:
        view = await load_conversation(session, viewer, conversation_id)
    except NotFound:
        return None
    return (await render_conversations(fragments, session, [view], viewer))[0]
