"""What has happened to notifications."""

from phiomia.platform.events import Event


class Notified(Event, frozen=True):
    """Members have been notified of one thing. `pairs`: each notification with the account it is for."""

    type: str
    from_account_id: int
    status_id: int | None
    pairs: list[tuple[int, int]]
