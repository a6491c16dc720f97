"""The entity GroupedNotificationsResults, spliced like statuses."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from phiomia.domain.notifications.views import GroupView
from phiomia.entities.fragments import Fragments
from phiomia.entities.notification_about import render_about
from phiomia.entities.notification_fallback import render_fallback
from phiomia.platform.clock import iso
from phiomia.platform.db import ReadSession

_PARTIAL = ("id", "acct", "locked", "bot", "url", "avatar", "avatar_static", "avatar_description")


async def render_groups(
    fragments: Fragments,
    session: ReadSession,
    groups: Sequence[GroupView],
    viewer: int,
    *,
    partial: bool = False,
    supported: Collection[str] = (),
) -> bytes:
    """Groups with their accounts and statuses; `partial`: of all but the first account only what a picture needs.

    `supported`, if any are named: the types that the app knows; of others it is told in words.
    """
    senders = {row.from_account_id: row.from_rev for group in groups for row in group.rows}
    newest = [group.newest for group in groups]
    statuses, accounts, about = await render_about(fragments, session, newest, viewer, senders)
    shown = [
        group
        for group in groups
        # One whose account, status or event went since the statement is left out.
        if group.newest.from_account_id in accounts
        and (group.newest.status_id is None or group.newest.status_id in statuses)
        and (group.newest.event_id is None or group.newest.id in about)
    ]
    whole = {group.newest.from_account_id for group in shown} if partial else set(accounts)
    parts = [
        b'{"accounts":[',
        b",".join(body for id_, body in accounts.items() if id_ in whole),
        b'],"statuses":[',
        b",".join(statuses.values()),
        b'],"notification_groups":',
        msgspec.json.encode([_render_group(group, accounts, about, supported) for group in shown]),
    ]
    if partial:
        rest = [_render_partial(body) for id_, body in accounts.items() if id_ not in whole]
        parts += [b',"partial_accounts":', msgspec.json.encode(rest)]
    return b"".join((*parts, b"}"))


def _render_group(
    group: GroupView, accounts: dict[int, bytes], about: dict[int, tuple[str, bytes]], supported: Collection[str]
) -> dict[str, Any]:
    newest = group.newest
    senders = dict.fromkeys(row.from_account_id for row in group.rows if row.from_account_id in accounts)
    entity: dict[str, Any] = {
        "group_key": group.key,
        "notifications_count": group.size,
        "type": newest.type,
        "most_recent_notification_id": newest.id,
        "page_min_id": str(group.oldest_id),
        "page_max_id": str(newest.id),
        "latest_page_notification_at": iso(newest.created_at),
        "sample_account_ids": [str(id_) for id_ in senders],
    }
    if newest.status_id is not None:
        entity["status_id"] = str(newest.status_id)
    if newest.id in about:
        name, body = about[newest.id]
        entity[name] = msgspec.Raw(body)
    if supported and newest.type not in supported:
        words = render_fallback(newest.type, accounts[newest.from_account_id], group.size - 1)
        entity["fallback"] = msgspec.Raw(words)
    return entity


def _render_partial(account: bytes) -> dict[str, Any]:
    entity = msgspec.json.decode(account)
    return {name: entity[name] for name in _PARTIAL}
