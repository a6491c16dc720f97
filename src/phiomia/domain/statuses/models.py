"""Tables of statuses and of what hangs on them."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, SmallInteger, Table, text

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

# Conditions of the partial indexes. Queries that want an index repeat its condition.
PUBLIC = "visibility = 0 AND reblog_of_id IS NULL"
PUBLIC_LOCAL = "visibility = 0 AND reblog_of_id IS NULL AND local"

statuses = Table(
    "statuses",
    metadata,
    id_column(),
    revision(),
    reference("account_id", "accounts.id"),
    flag("local", default=True),
    words("uri"),
    words("url"),
    words("source"),  # what the member typed; empty for remote ones
    words("content"),  # HTML
    words("spoiler_text"),
    small("visibility"),  # see visibility.py
    flag("sensitive"),
    words("language", nullable=True),
    reference("in_reply_to_id", "statuses.id", nullable=True, on_delete="SET NULL"),
    Column("in_reply_to_account_id", BigInteger, nullable=True),
    Column("conversation_id", BigInteger, nullable=False),
    reference("reblog_of_id", "statuses.id", nullable=True),
    Column("poll_id", BigInteger, nullable=True),
    Column("application_id", BigInteger, nullable=True),
    words("emojis", default="[]"),  # JSON: shortcodes used
    Column("media_count", SmallInteger, nullable=False, server_default="0"),
    moment("created_at"),
    moment("edited_at", nullable=True),
    count("replies_count"),
    count("reblogs_count"),
    count("favourites_count"),
    count("quotes_count"),
    Column("quote_policy", Integer, nullable=False, server_default=text("0")),  # see quote_policy.py: who may quote it
    flag("quoting"),  # it quotes something: see quotes
    Column("card_id", BigInteger, nullable=True),  # the preview of a link in it
    Index("ix_statuses_account", "account_id", "id"),
    Index("ix_statuses_reply", "in_reply_to_id"),
    Index("ix_statuses_conversation", "conversation_id", "id"),
    PartialIndex("uq_statuses_boost", "reblog_of_id", "account_id", where="reblog_of_id IS NOT NULL", unique=True),
    PartialIndex("uq_statuses_uri", "uri", where="uri <> ''", unique=True),
    PartialIndex("ix_statuses_public", "id", where=PUBLIC),
    PartialIndex("ix_statuses_public_local", "id", where=PUBLIC_LOCAL),
    PartialIndex("ix_statuses_card", "card_id", "id", where="card_id IS NOT NULL"),
    PartialIndex("ix_statuses_account_media", "account_id", "id", where="media_count > 0"),
)

status_mentions = Table(
    "status_mentions",
    metadata,
    reference("status_id", "statuses.id"),
    reference("account_id", "accounts.id"),
    flag("silent"),  # addressed, but not named in the text
    PrimaryKeyConstraint("status_id", "account_id"),
    Index("ix_status_mentions_account", "account_id", "status_id"),
)

status_tags = Table(
    "status_tags",
    metadata,
    reference("tag_id", "tags.id"),
    reference("status_id", "statuses.id"),
    words("display_name"),
    PrimaryKeyConstraint("tag_id", "status_id"),
    Index("ix_status_tags_status", "status_id"),
)

polls = Table(
    "polls",
    metadata,
    id_column(),
    reference("status_id", "statuses.id", unique=True),
    reference("account_id", "accounts.id"),
    flag("multiple"),
    flag("hide_totals"),
    moment("expires_at", nullable=True),
    count("voters_count"),
    moment("notified_at", nullable=True),
    moment("fetched_at", nullable=True),  # when a remote one was last asked for
    # Of a poll whose end has been announced nobody asks when it was.
    PartialIndex("ix_polls_expires", "expires_at", where="notified_at IS NULL"),
)

poll_options = Table(
    "poll_options",
    metadata,
    reference("poll_id", "polls.id"),
    Column("position", SmallInteger, nullable=False),
    words("title"),
    count("votes_count"),
    PrimaryKeyConstraint("poll_id", "position"),
)

poll_votes = Table(
    "poll_votes",
    metadata,
    reference("poll_id", "polls.id"),
    reference("account_id", "accounts.id", index=True),
    Column("choice", SmallInteger, nullable=False),
    PrimaryKeyConstraint("poll_id", "account_id", "choice"),
)

status_edits = Table(
    "status_edits",
    metadata,
    id_column(),
    reference("status_id", "statuses.id", index=True),
    words("content"),
    words("source"),
    words("spoiler_text"),
    flag("sensitive"),
    words("poll_options", nullable=True),  # JSON list of titles
    words("media", default="[]"),  # JSON: [{id, description}]
    words("emojis", default="[]"),
    moment("created_at"),
)


def _mark(name: str, *more: Column[Any]) -> Table:
    """Something an account did to a status once."""
    return Table(
        name,
        metadata,
        id_column(),
        reference("account_id", "accounts.id"),
        reference("status_id", "statuses.id"),
        moment("created_at"),
        *more,
        Index(f"uq_{name}_pair", "account_id", "status_id", unique=True),
        Index(f"ix_{name}_account", "account_id", "id"),
        Index(f"ix_{name}_status", "status_id", "id"),
    )


favourites = _mark("favourites", words("uri"))  # the name another server gave it; empty: ours
bookmarks = _mark("bookmarks")
pins = _mark("pins")

conversation_mutes = Table(
    "conversation_mutes",
    metadata,
    reference("account_id", "accounts.id"),
    Column("conversation_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "conversation_id"),
)

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),  # whose inbox of direct statuses
    Column("conversation_id", BigInteger, nullable=False),
    words("participants", default="[]"),  # JSON: ids of the others, sorted
    reference("last_status_id", "statuses.id", nullable=True, on_delete="SET NULL", index=True),
    flag("unread"),
    Index("uq_conversations_thread", "account_id", "conversation_id", "participants", unique=True),
    Index("ix_conversations_account", "account_id", "last_status_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    reference("account_id", "accounts.id"),
    words("key", default=None),
    reference("status_id", "statuses.id", index=True),
    moment("created_at"),
    PrimaryKeyConstraint("account_id", "key"),
    Index("ix_idempotency_keys_created", "created_at"),
)

quotes = Table(
    "quotes",
    metadata,
    Column(
        "status_id",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("statuses.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("account_id", BigInteger, nullable=False),  # who quotes
    reference("quoted_id", "statuses.id", nullable=True, on_delete="SET NULL"),
    Column("quoted_account_id", BigInteger, nullable=True),
    small("state"),  # see quote_state.py
    words("quoted_uri"),  # what is quoted, as long as it is not known here
    words("approval_uri"),  # where another server says that it agrees
    words("request_uri"),  # by what name it was asked for, if another server did
    moment("created_at"),
    Index("ix_quotes_quoted", "quoted_id", "status_id"),
    PartialIndex("ix_quotes_approval", "approval_uri", where="approval_uri <> ''"),
)

scheduled_statuses = Table(
    "scheduled_statuses",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    moment("scheduled_at"),
    words("params", default="{}"),  # JSON, as the entity shows it
    moment("created_at"),
    Index("ix_scheduled_statuses_account", "account_id", "id"),
    Index("ix_scheduled_statuses_due", "scheduled_at"),
)

translations = Table(
    "translations",
    metadata,
    reference("status_id", "statuses.id"),
    words("language", default=None),
    words("digest"),  # of what was translated: another text needs another translation
    words("body"),  # JSON
    moment("created_at"),
    PrimaryKeyConstraint("status_id", "language"),
    Index("ix_translations_created", "created_at"),
)

cards = Table(
    "cards",
    metadata,
    id_column(),
    revision(),
    words("url"),
    small("state"),  # see card_views.py: waiting, shown, nothing to show
    small("kind"),  # link, photo, video, rich
    words("title"),
    words("description"),
    words("author_name"),
    words("author_url"),
    Column("author_id", BigInteger, nullable=True),
    # Whom the page names, without having been named in turn.
    Column("claimed_author_id", BigInteger, nullable=True),
    words("provider_name"),
    words("provider_url"),
    words("html"),
    count("width"),
    count("height"),
    words("image_url"),
    words("image_description"),
    words("embed_url"),
    words("language", nullable=True),
    moment("published_at", nullable=True),
    moment("fetched_at", nullable=True),
    moment("created_at"),
    Index("uq_cards_url", "url", unique=True),
)
