"""What has happened to accounts."""

from phiomia.platform.events import Event


class AccountUpdated(Event, frozen=True):
    """A profile is another now. `indexable_changed`: so is whether others may find the account's posts."""

    account_id: int
    indexable_changed: bool = False


class AccountMoved(Event, frozen=True):
    """A member lives at `target_id` from now on. `move_id` tells moves apart."""

    account_id: int
    target_id: int
    move_id: int


class AccountDeleted(Event, frozen=True):
    """A member has left for ever. Their row with its keys stays: it signs what tells other servers."""

    account_id: int
    username: str
