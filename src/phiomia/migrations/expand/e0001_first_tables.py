"""The first tables."""

from alembic import op
from sqlalchemy.schema import CreateIndex, CreateTable

from phiomia.tables import metadata

revision = "e0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None


def upgrade() -> None:
    for table in metadata.sorted_tables:
        if table.info.get("by_hand"):
            continue
        op.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            op.execute(CreateIndex(index))
    for name, key in (("status_search", "status_id"), ("account_search", "account_id")):
        if op.get_context().dialect.name == "sqlite":
            op.execute(f"CREATE VIRTUAL TABLE {name} USING fts5({key} UNINDEXED, body, tokenize='unicode61')")
        else:
            op.execute(f"CREATE TABLE {name} ({key} BIGINT PRIMARY KEY, body TEXT NOT NULL)")
            op.execute(f"CREATE INDEX ix_{name}_body ON {name} USING gin (to_tsvector('simple', body))")
