"""The oldest server that may still use the database. ``server.storage.schema`` writes the row."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "schema_floor",
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("probes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_schema_floor"),
    )


def downgrade() -> None:
    """Deletes the table."""
    op.drop_table("schema_floor")
