"""The first tables."""

from alembic import op
from sqlalchemy.schema import CreateIndex, CreateTable

from phiomia.tables import metadata

revision = "e0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None

# Indexes of words. Words come ready-made: the tokenizer only has to keep them whole, and the marks among them.
_TOKENIZER = """tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'\""""
_SQLITE_SEARCH = (
    f"CREATE VIRTUAL TABLE status_search USING fts5(body, content='', contentless_delete=1, {_TOKENIZER})",
    f"CREATE VIRTUAL TABLE account_search USING fts5(body, content='', contentless_delete=1, prefix='1 2 3', "
    f"{_TOKENIZER})",
)
_POSTGRESQL_SEARCH = (
    "CREATE TABLE status_search (rowid BIGINT PRIMARY KEY, body TSVECTOR NOT NULL)",
    "CREATE INDEX ix_status_search_body ON status_search USING gin (body)",
    "CREATE TABLE account_search (rowid BIGINT PRIMARY KEY, body TSVECTOR NOT NULL)",
    "CREATE INDEX ix_account_search_body ON account_search USING gin (body)",
    "CREATE INDEX ix_tags_prefix ON tags (name text_pattern_ops)",
)


def upgrade() -> None:
    for table in metadata.sorted_tables:
        if table.info.get("by_hand"):
            continue
        op.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            op.execute(CreateIndex(index))
    for statement in _SQLITE_SEARCH if op.get_context().dialect.name == "sqlite" else _POSTGRESQL_SEARCH:
        op.execute(statement)
