"""Images that are erased earlier than the record of their check, and shorter retention of single checks."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the columns; the images of checks that were decided before are erased with their check."""
    op.add_column("checks", sa.Column("images_until", _TIME))
    op.add_column("checks", sa.Column("images_erase_time", _TIME))
    op.add_column("checks", sa.Column("retention_seconds", sa.BigInteger))
    op.create_index(
        "ix_checks_images_until",
        "checks",
        ["images_until"],
        sqlite_where=sa.text("images_until IS NOT NULL"),
        postgresql_where=sa.text("images_until IS NOT NULL"),
    )


def downgrade() -> None:
    """Drops the columns: all images are then erased with their check."""
    op.drop_index("ix_checks_images_until", "checks")
    op.drop_column("checks", "retention_seconds")
    op.drop_column("checks", "images_erase_time")
    op.drop_column("checks", "images_until")
