"""Everything a status needs before it is written."""

import msgspec

from phiomia.domain.instance.remote_emojis import EmojiDraft
from phiomia.domain.media.remote import RemoteMedia
from phiomia.domain.statuses.quote_draft import QuoteDraft
from phiomia.domain.statuses.visibility import Visibility


class PollDraft(msgspec.Struct, frozen=True):
    """A poll to be made."""

    options: list[str]
    expires_in: int
    multiple: bool = False
    hide_totals: bool = False
    # Of a poll that was made elsewhere: when it ends, if it does, and what its server has counted.
    expires_at: int | None = None
    endless: bool = False
    votes: list[int] = []
    voters_count: int = 0


class StatusDraft(msgspec.Struct, frozen=True):
    """A complete status that is not written yet; a member's text and a remote Note both become one."""

    account_id: int
    content: str
    source: str = ""
    spoiler_text: str = ""
    visibility: Visibility = Visibility.PUBLIC
    sensitive: bool = False
    language: str | None = None
    in_reply_to_id: int | None = None
    mentions: list[int] = []  # accounts named in the text
    silent_mentions: list[int] = []  # addressed without being named
    tags: list[tuple[str, str]] = []  # (key, as written)
    emojis: list[str] = []
    media_ids: list[int] = []
    poll: PollDraft | None = None
    application_id: int | None = None
    local: bool = True
    uri: str = ""
    url: str = ""
    created_at: int | None = None
    # Of a status that was written elsewhere. Its counts are what its server said; a silent mention may be anybody
    # known here whom it was addressed to.
    in_reply_to_unknown: bool = False  # it answers something that is not known here (yet)
    late: bool = False  # it is no news
    edited_at: int | None = None
    remote_media: list[RemoteMedia] = []
    emoji_domain: str = ""
    remote_emojis: list[EmojiDraft] = []
    favourites_count: int = 0
    boosts_count: int = 0
    quote: QuoteDraft | None = None
    quote_policy: int = 0  # see quote_policy.py

    @property
    def media_count(self) -> int:
        """The number of attachments."""
        return len(self.media_ids) + len(self.remote_media)
