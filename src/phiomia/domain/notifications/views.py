"""Notifications as they are listed."""

from typing import NamedTuple


class NotificationRow(NamedTuple):
    """One notification. The order is that of the columns in `queries.py`."""

    id: int
    type: str
    from_account_id: int
    status_id: int | None
    created_at: int
    group_key: str
    filtered: bool
