"""Checks, their requests, policies, attempts and evidence.

Times are in UTC. The tables are spelled out here, not imported, because a migration describes the schema at
its time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "policies",
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("source", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_policies"),
    )
    op.create_table(
        "checks",
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("policy_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("requested_mode", sa.String(16), nullable=False),
        sa.Column("subject_reference", sa.String(256), nullable=False),
        sa.Column("consent_reference", sa.String(256), nullable=False),
        sa.Column("template_ciphertext", sa.LargeBinary),
        sa.Column("template_wrapped_key", sa.LargeBinary),
        sa.Column("template_key_id", sa.String(64)),
        sa.Column("portrait_report", sa.LargeBinary, nullable=False),
        sa.Column("pack_name", sa.String(128), nullable=False),
        sa.Column("pack_version", sa.String(128), nullable=False),
        sa.Column("pack_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("create_time", _TIME, nullable=False),
        sa.Column("scan_deadline", _TIME, nullable=False),
        sa.Column("result_deadline", _TIME, nullable=False),
        sa.Column("session_key", sa.LargeBinary),
        sa.Column("session_key_sha256", sa.LargeBinary(32)),
        sa.Column("lease_owner", sa.String(128)),
        sa.Column("lease_epoch", sa.Integer, nullable=False),
        sa.Column("lease_until", _TIME),
        sa.Column("streams", sa.Integer, nullable=False),
        sa.Column("bytes_received", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16)),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.Column("decide_time", _TIME),
        sa.Column("retain_until", _TIME),
        sa.Column("finish_time", _TIME),
        sa.Column("erase_time", _TIME),
        sa.PrimaryKeyConstraint("check_id", name="pk_checks"),
        sa.ForeignKeyConstraint(
            ["policy_sha256"], ["policies.sha256"], name="fk_checks_policy_sha256_policies"
        ),
    )
    op.create_index("ix_checks_state_scan_deadline", "checks", ["state", "scan_deadline"])
    op.create_index("ix_checks_state_retain_until", "checks", ["state", "retain_until"])
    op.create_table(
        "requests",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("method", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("payload_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "method", "request_id", name="pk_requests"),
        sa.ForeignKeyConstraint(["check_id"], ["checks.check_id"], name="fk_requests_check_id_checks"),
    )
    op.create_table(
        "attempts",
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("feedback", sa.Text, nullable=False),
        sa.Column("end_time", _TIME),
        sa.Column("final_mac_sha256", sa.LargeBinary(32)),
        sa.Column("judgement", sa.LargeBinary),
        sa.PrimaryKeyConstraint("check_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(["check_id"], ["checks.check_id"], name="fk_attempts_check_id_checks"),
    )
    op.create_table(
        "evidence",
        sa.Column("check_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("object_key", sa.String(256), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("frame_index", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("rotation", sa.Integer, nullable=False),
        sa.Column("mirrored", sa.Boolean, nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("check_id", "position", name="pk_evidence"),
        sa.ForeignKeyConstraint(["check_id"], ["checks.check_id"], name="fk_evidence_check_id_checks"),
        sa.UniqueConstraint("object_key", name="uq_evidence_object_key"),
    )


def downgrade() -> None:
    """Drops the tables."""
    for table in ("evidence", "attempts", "requests", "checks", "policies"):
        op.drop_table(table)
