"""Tables about other servers."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from phiomia.platform.db.tables import count, flag, id_column, metadata, moment, reference, small, words

peers = Table(
    "peers",
    metadata,
    Column("host", Text, primary_key=True),
    count("failures"),  # deliveries in a row that failed
    moment("unavailable_since", nullable=True),
    moment("retry_at", nullable=True),
    moment("gone_at", nullable=True),
)

domain_blocks = Table(
    "domain_blocks",
    metadata,
    id_column(),
    words("domain"),
    small("severity"),  # see severity.py
    flag("reject_media"),
    flag("reject_reports"),
    words("private_comment"),
    words("public_comment"),
    flag("obfuscate"),
    moment("created_at"),
    Index("uq_domain_blocks_domain", "domain", unique=True),
)

domain_allows = Table(
    "domain_allows",
    metadata,
    id_column(),
    words("domain"),
    moment("created_at"),
    Index("uq_domain_allows_domain", "domain", unique=True),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("uri", Text, primary_key=True),
    moment("created_at"),
    Index("ix_tombstones_created", "created_at"),
)

received = Table(
    "received",
    metadata,
    # A hash of 64 bits: what was accepted in the last day, so that nothing is taken twice.
    Column("key", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    moment("received_at"),
    Index("ix_received_at", "received_at"),
)

parcels = Table(
    "parcels",
    metadata,
    id_column(),
    Column("account_id", BigInteger, nullable=True),  # who signs it; NULL: the server itself
    Column("status_id", BigInteger, nullable=True),  # whose receipts it keeps
    Column("body", LargeBinary, nullable=False),
    flag("for_followers"),  # receivers are told which followers of theirs we know
    moment("created_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    reference("status_id", "statuses.id"),
    Column("inbox", Text, nullable=False),
    words("host"),
    small("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    words("last_error"),
    moment("updated_at"),
    PrimaryKeyConstraint("status_id", "inbox"),
)

relays = Table(
    "relays",
    metadata,
    id_column(),
    words("inbox_url"),
    small("state"),
    words("follow_uri"),
    words("actor_uri"),
    moment("created_at"),
    Index("uq_relays_inbox_url", "inbox_url", unique=True),
)
