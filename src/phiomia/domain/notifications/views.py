"""Notifications as they are listed, one by one or in groups."""

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
    event_id: int | None = None  # the report, severance, warning or collection that it is about
    from_rev: int = 0  # the revision of the account that it is from


class GroupView(NamedTuple):
    """Several notifications shown as one: `size` of them, the newest few of them, newest first, in `rows`."""

    key: str
    size: int
    oldest_id: int  # on the page
    rows: list[NotificationRow]

    @property
    def newest(self) -> NotificationRow:
        """The one that stands for the group."""
        return self.rows[0]
