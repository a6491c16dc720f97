"""What has happened to those who may sign in."""

from phiomia.platform.events import Event


class UserSignedUp(Event, frozen=True):
    """Somebody joined. `pending`: a moderator has to approve first."""

    user_id: int
    account_id: int
    pending: bool


class UserConfirmed(Event, frozen=True):
    """Somebody showed that the e-mail address is theirs."""

    user_id: int


class UserApproved(Event, frozen=True):
    """A moderator let somebody in."""

    user_id: int


class PasswordChanged(Event, frozen=True):
    """Somebody has a new password; their sessions have ended."""

    user_id: int


class EmailChanged(Event, frozen=True):
    """Somebody has confirmed another address."""

    user_id: int
    before: str
    after: str


class SignedInAnew(Event, frozen=True):
    """Somebody signed in from a browser and an address that none of their sessions knows."""

    user_id: int
    where: str
