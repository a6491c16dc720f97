"""What has happened to accounts."""

from phiomia.platform.events import Event


class AccountUpdated(Event, frozen=True):
    """A profile is another now. `indexable_changed`: so is whether others may find the account's posts."""

    account_id: int
    indexable_changed: bool = False
