"""Later questions to other servers about their people."""

from phiomia.platform.jobs import Job


class RefreshAccount(Job, frozen=True):
    """Ask for an account of another server again: its profile, or (`counts_only`) what hangs on that.

    Which is how many follow it and whom it follows, and what it has pinned and recommends.
    """

    TYPE = "federation.refresh_account"
    QUEUE = "pull"
    TRIES = 4

    account_id: int
    counts_only: bool = False
