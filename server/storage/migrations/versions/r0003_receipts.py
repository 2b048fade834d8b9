"""The newest receipt of an App Attest key, when it was received, and when to exchange it for the next."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the columns; existing keys have no receipt."""
    op.add_column("enrolled_keys", sa.Column("receipt", sa.LargeBinary))
    op.add_column("enrolled_keys", sa.Column("receipt_time", _TIME))
    op.add_column("enrolled_keys", sa.Column("receipt_due", _TIME))


def downgrade() -> None:
    """Drops the columns."""
    for column in ("receipt_due", "receipt_time", "receipt"):
        op.drop_column("enrolled_keys", column)
