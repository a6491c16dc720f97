"""What has happened between two accounts. In each, `account_id` did it to `target_id`.

A follow keeps the id and uri of the request it came from, so that both sides of a federated follow can name
it for as long as it lasts; events about its end carry them, since the row is gone by then.
"""

from phiomia.platform.events import Event


class Followed(Event, frozen=True):
    """`account_id` follows `target_id` from now on, at once or after a request."""

    account_id: int
    target_id: int
    follow_id: int


class FollowRequested(Event, frozen=True):
    """`account_id` asked to follow `target_id`, who is locked, elsewhere or has to approve a limited account."""

    account_id: int
    target_id: int
    follow_id: int


class FollowAccepted(Event, frozen=True):
    """`target_id` lets `account_id` follow: a follower elsewhere has to be told.

    `Followed` comes with it unless the follow stood already and the follower merely asked again.
    """

    account_id: int
    target_id: int
    follow_id: int
    uri: str


class FollowRejected(Event, frozen=True):
    """`target_id` refused the request of `account_id`, or ended its follow: a follower elsewhere has to be told."""

    account_id: int
    target_id: int
    follow_id: int
    uri: str


class FollowWithdrawn(Event, frozen=True):
    """`account_id` no longer asks to follow `target_id`."""

    account_id: int
    target_id: int
    follow_id: int
    uri: str


class Unfollowed(Event, frozen=True):
    """`account_id` no longer follows `target_id`. `by_target`: it was not the follower who ended it."""

    account_id: int
    target_id: int
    follow_id: int
    uri: str
    by_target: bool = False


class Blocked(Event, frozen=True):
    """`account_id` blocks `target_id`; what each had of the other is over."""

    account_id: int
    target_id: int
    block_id: int


class Unblocked(Event, frozen=True):
    """`account_id` no longer blocks `target_id`."""

    account_id: int
    target_id: int
    block_id: int
    uri: str


class Muted(Event, frozen=True):
    """`account_id` mutes `target_id`, its notifications too if `hide_notifications`."""

    account_id: int
    target_id: int
    hide_notifications: bool


class Unmuted(Event, frozen=True):
    """`account_id` no longer mutes `target_id`, by its own wish or because the time was over."""

    account_id: int
    target_id: int


class TiesSevered(Event, frozen=True):
    """Follows of a member have ended because of a server or a suspension; `severance_id` says how many."""

    account_id: int
    severance_id: int


class DomainBlocked(Event, frozen=True):
    """A member blocks a whole server."""

    account_id: int
    domain: str
