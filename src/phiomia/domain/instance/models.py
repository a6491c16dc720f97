"""Tables of this server's own facts."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from phiomia.platform.db.tables import count, flag, id_column, metadata, moment, reference, words

server_facts = Table(
    "server_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

custom_emojis = Table(
    "custom_emojis",
    metadata,
    id_column(),
    words("shortcode"),
    words("domain"),  # empty: our own
    words("url"),
    words("static_url"),
    words("category", nullable=True),
    flag("visible_in_picker", default=True),
    flag("disabled"),
    moment("created_at"),
    words("uri"),
    words("image_remote_url"),
    moment("updated_at", nullable=True),
    Index("uq_custom_emojis_domain", "domain", "shortcode", unique=True),
)

announcements = Table(
    "announcements",
    metadata,
    id_column(),
    words("text"),  # what the operator typed
    words("content"),  # HTML
    moment("starts_at", nullable=True),
    moment("ends_at", nullable=True),
    flag("all_day"),
    moment("published_at"),
    moment("updated_at"),
)

announcement_reads = Table(
    "announcement_reads",
    metadata,
    reference("announcement_id", "announcements.id"),
    reference("account_id", "accounts.id", index=True),
    PrimaryKeyConstraint("announcement_id", "account_id"),
)

announcement_reactions = Table(
    "announcement_reactions",
    metadata,
    reference("announcement_id", "announcements.id"),
    reference("account_id", "accounts.id", index=True),
    words("name", default=None),  # an emoji, or the shortcode of one of ours
    moment("created_at"),
    PrimaryKeyConstraint("announcement_id", "account_id", "name"),
)

server_texts = Table(
    "server_texts",
    metadata,
    id_column(),
    words("kind", default=None),  # see texts.py
    words("effective_date"),  # of terms of service, as YYYY-MM-DD
    words("source"),
    words("content"),  # HTML
    moment("updated_at"),
    Index("uq_server_texts_kind", "kind", "effective_date", unique=True),
)

activity_weeks = Table(
    "activity_weeks",
    metadata,
    # The Monday, in UTC, as milliseconds.
    Column("week", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    count("logins"),
)

upgrade_probes = Table(
    "upgrade_probes",
    metadata,
    Column("id", Text, primary_key=True),
    words("secret_hash", default=None),  # SHA-256, in hexadecimal
    words("public_key"),  # PEM
    moment("expires_at"),
    count("writes"),  # what was asked for and done
    count("letters"),  # what arrived in the inbox and was accepted
    count("taken"),  # what workers made of that
    Index("uq_upgrade_probes_secret_hash", "secret_hash", unique=True),
)
