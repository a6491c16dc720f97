"""The table of accounts, local and remote."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, text

from phiomia.platform.db.tables import (
    PartialIndex,
    count,
    flag,
    id_column,
    metadata,
    moment,
    reference,
    revision,
    small,
    words,
)

accounts = Table(
    "accounts",
    metadata,
    id_column(),
    revision(),
    words("username"),
    words("username_key"),  # lower case: handles compare without case
    words("domain"),  # empty: local. Not NULL, so that one unique index serves both
    words("uri"),
    words("url"),
    words("display_name"),
    words("note"),  # HTML
    words("note_source"),  # what the member typed
    words("fields", default="[]"),  # JSON: [{name, value, html, verified_at}]
    words("avatar"),  # storage key; empty: the server's own picture
    words("avatar_static"),
    words("avatar_description"),
    words("header"),
    words("header_static"),
    words("header_description"),
    words("emojis", default="[]"),  # JSON: shortcodes used in name, note and fields
    words("attribution_domains", default="[]"),
    flag("locked"),
    flag("bot"),
    flag("is_group"),
    flag("discoverable", nullable=True),
    flag("indexable"),
    flag("hide_collections", nullable=True),
    flag("show_media", default=True),
    flag("show_media_replies", default=True),
    flag("show_featured", default=True),
    flag("memorial"),
    small("state"),  # see state.py: active, limited, suspended
    small("shown_role"),  # the user's role when it is shown on the profile; 0: none
    reference("moved_to_id", "accounts.id", nullable=True, on_delete="SET NULL"),
    moment("moved_at", nullable=True),  # when it was last announced
    words("public_key"),
    words("private_key"),
    words("inbox_url"),
    words("shared_inbox_url"),
    words("key_id"),
    words("more_keys", default="[]"),  # JSON: [{id, pem, multibase}], further keys of a remote account
    words("actor_type"),
    words("followers_url"),
    words("following_url"),
    words("outbox_url"),
    words("featured_url"),
    words("featured_tags_url"),
    words("collections_url"),  # of a remote account: where its recommendations are listed
    Column("feature_policy", Integer, nullable=False, server_default=text("0")),  # like quote_policy
    words("also_known_as", default="[]"),
    words("avatar_remote_url"),
    words("header_remote_url"),
    small("state_origin"),  # see state.py: who decided
    moment("fetched_at", nullable=True),
    moment("key_fetched_at", nullable=True),
    moment("created_at"),
    moment("last_status_at", nullable=True),
    count("statuses_count"),
    count("followers_count"),
    count("following_count"),
    Index("uq_accounts_handle", "username_key", "domain", unique=True),
    PartialIndex("ix_accounts_domain", "domain", "id", where="domain <> ''"),
    PartialIndex("ix_accounts_key", "key_id", where="key_id <> ''"),
    PartialIndex("uq_accounts_uri", "uri", unique=True, where="uri <> ''"),
)

# How much room the avatars and headers of members take; `key` says of which one that was measured.
account_pictures = Table(
    "account_pictures",
    metadata,
    reference("account_id", "accounts.id"),
    words("place"),
    words("key"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("account_id", "place"),
)
