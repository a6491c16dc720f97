"""What holds between accounts, as it is shown."""

from typing import NamedTuple

import msgspec


class RelationshipView(msgspec.Struct, frozen=True):
    """Everything the entity Relationship shows. The order is that of the columns in `queries.py`."""

    id: int
    following: bool
    showing_reblogs: bool
    notifying: bool
    languages: tuple[str, ...] | None
    followed_by: bool
    blocking: bool
    blocked_by: bool
    muting: bool
    muting_notifications: bool
    muting_expires_at: int | None
    requested: bool
    requested_by: bool
    domain_blocking: bool
    endorsed: bool
    note: str


class Entry(NamedTuple):
    """One account in a list; `id` is the cursor."""

    id: int
    account_id: int


class MuteEntry(NamedTuple):
    """One muted account; `id` is the cursor."""

    id: int
    account_id: int
    expires_at: int | None


class FollowView(NamedTuple):
    """A follow, or while `pending` a request to."""

    id: int
    account_id: int
    target_id: int
    uri: str
    pending: bool
