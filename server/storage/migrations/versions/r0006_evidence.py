"""Evidence records with their index, holds, pending approvals, and the hashes that records take over.

Records are sealed, which a migration cannot do, because it has no keys: checks that were decided before keep
their result in ``checks.result`` until their retention ends. They have no record and are not listed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the tables and the columns."""
    op.add_column("checks", sa.Column("portrait_sha256", sa.LargeBinary(32)))
    op.create_index(
        "ix_checks_tenant_subject_reference",
        "checks",
        ["tenant", "subject_reference"],
        sqlite_where=sa.text("subject_reference != ''"),
        postgresql_where=sa.text("subject_reference != ''"),
    )
    op.add_column("attempts", sa.Column("frame_hashes", sa.LargeBinary))
    op.create_table(
        "evidence_records",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("decide_time", _TIME, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "record_terms",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("term", sa.String(128), primary_key=True),
        sa.Column("decide_time", _TIME, primary_key=True),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
    )
    op.create_index("ix_record_terms_check_id", "record_terms", ["check_id"])
    op.create_table(
        "holds",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("reference", sa.String(128), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(256), nullable=False),
        sa.Column("placed_by", sa.String(64), nullable=False),
        sa.Column("place_time", _TIME, nullable=False),
    )
    op.create_table(
        "pending_approvals",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("action", sa.String(32), primary_key=True),
        sa.Column("arguments_sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("request_time", _TIME, nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
    )
    op.create_index("ix_pending_approvals_expire_time", "pending_approvals", ["expire_time"])


def downgrade() -> None:
    """Drops the tables and the columns; the results of checks with a record are lost."""
    for table in ("pending_approvals", "holds", "record_terms", "evidence_records"):
        op.drop_table(table)
    op.drop_column("attempts", "frame_hashes")
    op.drop_index("ix_checks_tenant_subject_reference", "checks")
    op.drop_column("checks", "portrait_sha256")
