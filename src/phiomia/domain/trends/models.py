"""Tables of what is talked about."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, SmallInteger, Table

from phiomia.platform.db.tables import metadata, moment, small

trends = Table(
    "trends",
    metadata,
    Column("kind", SmallInteger, nullable=False),  # see kinds.py
    Column("object_id", BigInteger, nullable=False),
    Column("score", BigInteger, nullable=False),
    moment("scored_at"),
    PrimaryKeyConstraint("kind", "object_id"),
    Index("ix_trends_score", "kind", "score"),
)

trend_reviews = Table(
    "trend_reviews",
    metadata,
    Column("kind", SmallInteger, nullable=False),
    Column("object_id", BigInteger, nullable=False),
    small("verdict"),  # see kinds.py
    moment("reviewed_at"),
    PrimaryKeyConstraint("kind", "object_id"),
)
