"""An account as it is shown to anybody."""

import msgspec


class AccountField(msgspec.Struct, frozen=True):
    """One row of the profile's table: what was typed, and its HTML."""

    name: str
    value: str
    html: str
    verified_at: int | None = None


class AccountView(msgspec.Struct, frozen=True):
    """Everything the entity Account shows. The order is that of the columns in `queries.py`."""

    id: int
    rev: int
    username: str
    domain: str
    uri: str
    url: str
    display_name: str
    note: str
    note_source: str
    fields: str
    avatar: str
    avatar_static: str
    avatar_description: str
    header: str
    header_static: str
    header_description: str
    emojis: str
    attribution_domains: str
    locked: bool
    bot: bool
    is_group: bool
    discoverable: bool | None
    indexable: bool
    hide_collections: bool | None
    memorial: bool
    state: int
    moved_to_id: int | None
    created_at: int
    last_status_at: int | None
    statuses_count: int
    followers_count: int
    following_count: int
    shown_role: int
    avatar_remote_url: str = ""
    header_remote_url: str = ""
    feature_policy: int = 0
    show_media: bool = True
    show_media_replies: bool = True
    show_featured: bool = True

    @property
    def local(self) -> bool:
        """Whether the account lives here."""
        return self.domain == ""

    @property
    def acct(self) -> str:
        """The handle: with its domain unless local."""
        return f"{self.username}@{self.domain}" if self.domain else self.username
