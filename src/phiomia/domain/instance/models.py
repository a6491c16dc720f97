"""Tables of this server's own facts."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from phiomia.platform.db.tables import flag, id_column, metadata, moment, words

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
