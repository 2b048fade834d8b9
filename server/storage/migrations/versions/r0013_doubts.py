"""The doubts of attempts, which lead to a challenge. Older servers would ignore them, and are shut out."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Adds the column; attempts that exist raise no doubt."""
    op.add_column("attempts", sa.Column("doubts", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    """Drops the column: open checks forget their doubts."""
    op.drop_column("attempts", "doubts")
