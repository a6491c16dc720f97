"""The table of accounts, local and remote."""

from sqlalchemy import Index, Table, text

from phiomia.platform.db.tables import count, flag, id_column, metadata, moment, reference, revision, small, words

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
    flag("memorial"),
    small("state"),  # see state.py: active, limited, suspended
    small("shown_role"),  # the user's role when it is shown on the profile; 0: none
    reference("moved_to_id", "accounts.id", nullable=True, on_delete="SET NULL"),
    words("public_key"),
    words("private_key"),
    words("inbox_url"),
    words("shared_inbox_url"),
    moment("created_at"),
    moment("last_status_at", nullable=True),
    count("statuses_count"),
    count("followers_count"),
    count("following_count"),
    Index("uq_accounts_handle", "username_key", "domain", unique=True),
    Index("uq_accounts_uri", "uri", unique=True, sqlite_where=text("uri <> ''"), postgresql_where=text("uri <> ''")),
)
