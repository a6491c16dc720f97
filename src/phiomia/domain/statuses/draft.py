"""Everything a status needs before it is written."""

import msgspec

from phiomia.domain.statuses.visibility import Visibility


class PollDraft(msgspec.Struct, frozen=True):
    """A poll to be made."""

    options: list[str]
    expires_in: int
    multiple: bool = False
    hide_totals: bool = False


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
