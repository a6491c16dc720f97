"""The name of the app that somebody signed up with, which its id has replaced."""

from alembic import op

revision = "c0001"
down_revision = None
branch_labels = None
depends_on = "e0011"
MIN_CODE = "0.1.1"  # the release that brought e0011
BACKFILLS = ("app-of-users@1",)
COST = {"users": 900_000}


def upgrade() -> None:
    op.drop_column("users", "invited_with_app")
