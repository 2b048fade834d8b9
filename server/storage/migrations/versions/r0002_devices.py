"""Enrolled keys, one-time tokens, findings on devices' evidence, and the scan memory."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_TIME = sa.DateTime(timezone=True)


def _of_check(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["check_id"], ["checks.check_id"], name=f"fk_{table}_check_id_checks")


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "enrolled_keys",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("app", sa.String(256), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("ceiling", sa.String(16), nullable=False),
        sa.Column("for_tests", sa.Boolean, nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("use_time", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "key_sha256", name="pk_enrolled_keys"),
        _of_check("enrolled_keys"),
    )
    op.create_table(
        "one_time_tokens",
        sa.Column("token", sa.LargeBinary(32), nullable=False),
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_one_time_tokens"),
        _of_check("one_time_tokens"),
    )
    op.create_table(
        "device_evidence",
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("finding", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("check_id", "position", name="pk_device_evidence"),
        _of_check("device_evidence"),
    )
    op.create_table(
        "device_key_uses",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "check_id", name="pk_device_key_uses"),
        _of_check("device_key_uses"),
    )
    op.create_table(
        "scan_memories",
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("check_id", name="pk_scan_memories"),
        _of_check("scan_memories"),
    )
    op.create_table(
        "scan_marks",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("mark", sa.LargeBinary(32), nullable=False),
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("frame", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("tenant", "mark", "check_id", "frame", name="pk_scan_marks"),
        _of_check("scan_marks"),
    )
    for table, columns in _INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


_INDEXES = (
    ("enrolled_keys", ("check_id",)),
    ("enrolled_keys", ("use_time",)),
    ("one_time_tokens", ("check_id",)),
    ("one_time_tokens", ("expire_time",)),
    ("device_key_uses", ("check_id",)),
    ("device_key_uses", ("tenant", "subject")),
    ("scan_memories", ("tenant", "subject")),
    ("scan_marks", ("check_id",)),
)


def downgrade() -> None:
    """Drops the tables."""
    for table in (
        "scan_marks",
        "scan_memories",
        "device_key_uses",
        "device_evidence",
        "one_time_tokens",
        "enrolled_keys",
    ):
        op.drop_table(table)
