"""What has happened to statuses."""

from phiomia.domain.statuses.audience import Audience
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.platform.events import Event


class StatusCreated(Event, frozen=True):
    """A status is new: written here or received."""

    status_id: int
    account_id: int
    visibility: int
    local: bool
    in_reply_to_account_id: int | None
    language: str | None
    with_media: bool
    tags: list[str] = []
    late: bool = False  # it is no news: written long ago, and only now known here
    # What need not be read again, as far as it is known.
    draft: StatusDraft | None = None
    in_reply_to_id: int | None = None
    audience: Audience = Audience()

    @property
    def addresses(self) -> bool:
        """Whether it may be addressed to somebody."""
        return self.draft is None or bool(self.draft.mentions or self.draft.silent_mentions)


class ReplyAdopted(Event, frozen=True):
    """What a status answers has been found."""

    status_id: int
    account_id: int
    parent_id: int
    parent_account_id: int


class StatusEdited(Event, frozen=True):
    """A status has another text, media or poll."""

    status_id: int
    account_id: int
    visibility: int
    local: bool
    mentions: list[int] = []  # accounts that the text did not name before


class StatusDeleted(Event, frozen=True):
    """A status (or boost) is gone. Its rows are too: the event carries what others need to forget it."""

    status_id: int
    account_id: int
    visibility: int
    local: bool
    tags: list[str] = []
    reblog_of_id: int | None = None
    media_keys: list[str] = []
    mentions: list[int] = []  # accounts it was addressed to
    remote_boosters: list[int] = []  # accounts of other servers that had boosted, favourited or answered it


class StatusBoosted(Event, frozen=True):
    """`status_id` is the boost, `original_id` what it shares."""

    status_id: int
    account_id: int
    original_id: int
    original_account_id: int
    visibility: int
    local: bool


class StatusFavourited(Event, frozen=True):
    """An account favourites a status."""

    status_id: int
    account_id: int
    author_id: int
    favourite_id: int = 0


class StatusUnfavourited(Event, frozen=True):
    """An account no longer favourites a status."""

    status_id: int
    account_id: int
    author_id: int
    favourite_id: int = 0


class StatusBookmarked(Event, frozen=True):
    """An account keeps a status for itself, or with `gone` no longer."""

    status_id: int
    account_id: int
    gone: bool = False


class StatusPinned(Event, frozen=True):
    """An account shows a status of its own on its profile, or with `gone` no longer."""

    status_id: int
    account_id: int
    gone: bool = False


class QuoteChanged(Event, frozen=True):
    """A status quotes another (`before` is None), or the consent to that has changed. States: see quote_state.py."""

    status_id: int
    account_id: int
    quoted_id: int
    quoted_account_id: int
    state: int
    before: int | None = None
    local: bool = True  # of what is new: it was written here


class QuotePolicyChanged(Event, frozen=True):
    """Others may quote a status than before."""

    status_id: int
    account_id: int


class PollVoted(Event, frozen=True):
    """An account chose answers of a poll."""

    poll_id: int
    status_id: int
    account_id: int
    choices: list[int]


class PollEnded(Event, frozen=True):
    """A poll's time is over."""

    poll_id: int
    status_id: int
    account_id: int
