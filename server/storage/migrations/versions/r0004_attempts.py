"""Plans and ends of attempts; challenge keys, resuming, closing and sandbox of checks; tries over checks."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Adds the columns; existing attempts become EXPRESS."""
    with op.batch_alter_table("checks") as checks:
        checks.add_column(sa.Column("sandbox", sa.Boolean, nullable=False, server_default=sa.false()))
        checks.add_column(sa.Column("resume_until", sa.DateTime(timezone=True)))
        checks.add_column(sa.Column("closing", sa.String(32)))
        checks.add_column(sa.Column("challenge_key_sha256", sa.LargeBinary(32)))
    with op.batch_alter_table("checks") as checks:
        checks.alter_column("sandbox", server_default=None)
    with op.batch_alter_table("attempts") as attempts:
        attempts.add_column(sa.Column("mode", sa.String(16), nullable=False, server_default="EXPRESS"))
        attempts.add_column(sa.Column("plan", sa.String(16), nullable=False, server_default="EXPRESS"))
        attempts.add_column(sa.Column("ended_by", sa.String(24)))
        attempts.add_column(sa.Column("verdict", sa.String(16)))
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("mode", server_default=None)
        attempts.alter_column("plan", server_default=None)
    op.create_table(
        "check_tries",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("mark", sa.LargeBinary(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_check_tries_mark", "check_tries", ["mark"])
    op.create_index("ix_check_tries_time", "check_tries", ["time"])


def downgrade() -> None:
    """Drops the columns and the table."""
    op.drop_table("check_tries")
    with op.batch_alter_table("attempts") as attempts:
        for column in ("verdict", "ended_by", "plan", "mode"):
            attempts.drop_column(column)
    with op.batch_alter_table("checks") as checks:
        for column in ("challenge_key_sha256", "closing", "resume_until", "sandbox"):
            checks.drop_column(column)
