"""Tables of collections."""

from sqlalchemy import BigInteger, Column, Index, Table

from phiomia.platform.db.tables import (
    PartialIndex,
    flag,
    id_column,
    metadata,
    moment,
    reference,
    revision,
    small,
    words,
)

collections = Table(
    "collections",
    metadata,
    id_column(),
    revision(),
    reference("account_id", "accounts.id"),
    words("uri"),  # empty: ours
    words("url"),
    words("name"),
    words("description"),  # plain text of ours, HTML of others
    words("language", nullable=True),
    flag("sensitive"),
    flag("discoverable"),
    Column("tag_id", BigInteger, nullable=True),
    words("tag_name"),
    moment("created_at"),
    moment("updated_at"),
    Index("ix_collections_account", "account_id", "id"),
    PartialIndex("uq_collections_uri", "uri", unique=True, where="uri <> ''"),
)

collection_items = Table(
    "collection_items",
    metadata,
    id_column(),
    reference("collection_id", "collections.id"),
    reference("account_id", "accounts.id"),
    small("state"),  # see item_state.py
    words("uri"),
    words("approval_uri"),  # where another server says that its member agrees
    words("request_uri"),  # by what name consent was asked for
    moment("created_at"),
    Index("uq_collection_items_pair", "collection_id", "account_id", unique=True),
    Index("ix_collection_items_account", "account_id", "id"),
)
