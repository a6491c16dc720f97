"""Which parts of their profile people show."""

import sqlalchemy as sa
from alembic import op

revision = "e0016"
down_revision = "e0015"
branch_labels = None
depends_on = None
COST = {"accounts": None}


def upgrade() -> None:
    for name in ("show_media", "show_media_replies", "show_featured"):
        op.add_column("accounts", sa.Column(name, sa.Boolean(), server_default=sa.text("true"), nullable=False))
