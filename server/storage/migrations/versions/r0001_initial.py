"""The schema of version 1.0.0. Triggers protect the audit log.

Times are in UTC. The tables are spelled out here, not imported, because a migration describes the schema at
its time.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_TIME: Final = sa.DateTime(timezone=True)
# A row of the table may change only if its condition holds; no row may be deleted. {same} compares values one
# of which may be NULL.
_CHANGES: Final = {
    "audit_events": "false",
    "audit_heads": "NEW.tenant = OLD.tenant AND NEW.sequence > OLD.sequence",
    "audit_checkpoints": (
        "NEW.tenant = OLD.tenant AND NEW.number = OLD.number AND NEW.sequence = OLD.sequence "
        "AND NEW.time_us = OLD.time_us AND NEW.jws = OLD.jws AND OLD.timestamp IS NULL "
        "AND NEW.position {same} OLD.position"
    ),
}


def upgrade() -> None:
    """Creates the tables with their indexes and triggers."""
    op.create_table(
        "schema_floor",
        sa.Column("revision", sa.String(32), primary_key=True),
        sa.Column("probes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "policies",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("source", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checks",
        sa.Column("check_id", sa.Uuid, primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("policy_sha256", sa.LargeBinary(32), sa.ForeignKey("policies.sha256"), nullable=False),
        sa.Column("requested_mode", sa.String(16), nullable=False),
        sa.Column("subject_reference", sa.String(256), nullable=False),
        sa.Column("consent_reference", sa.String(256), nullable=False),
        sa.Column("challenge_key_sha256", sa.LargeBinary(32)),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("template_ciphertext", sa.LargeBinary),
        sa.Column("template_wrapped_key", sa.LargeBinary),
        sa.Column("template_key_id", sa.String(64)),
        sa.Column("portrait_report", sa.LargeBinary, nullable=False),
        sa.Column("portrait_sha256", sa.LargeBinary(32)),
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
        sa.Column("resume_until", _TIME),
        sa.Column("closing", sa.String(32)),
        sa.Column("streams", sa.Integer, nullable=False),
        sa.Column("bytes_received", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16)),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("decide_time", _TIME),
        sa.Column("retain_until", _TIME),
        sa.Column("retention_seconds", sa.BigInteger),
        sa.Column("images_until", _TIME),
        sa.Column("images_erase_time", _TIME),
        sa.Column("finish_time", _TIME),
        sa.Column("erase_time", _TIME),
        sa.Column("events", sa.Integer, nullable=False, server_default="0"),
        sa.Column("requested_outcome", sa.Text),
        sa.Column("outcome_due", _TIME),
        sa.Column("trusted_check", sa.LargeBinary),
        sa.Column("enrolled_until", _TIME),
        sa.CheckConstraint("requested_outcome IS NULL OR sandbox", name="ck_checks_requested_outcome"),
    )
    op.create_table(
        "requests",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("method", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("payload_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("plan", sa.String(16), nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("ended_by", sa.String(24)),
        sa.Column("verdict", sa.String(16)),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("feedback", sa.Text, nullable=False),
        sa.Column("doubts", sa.Text, nullable=False, server_default="[]"),
        sa.Column("end_time", _TIME),
        sa.Column("final_mac_sha256", sa.LargeBinary(32)),
        sa.Column("judgement", sa.LargeBinary),
        sa.Column("frame_hashes", sa.LargeBinary),
    )
    op.create_table(
        "evidence",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
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
        sa.UniqueConstraint("object_key"),
    )
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
        "reviews",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("result_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("causes", sa.Text, nullable=False),
        sa.Column("four_eyes", sa.Boolean, nullable=False),
        sa.Column("claim_seconds", sa.Integer, nullable=False),
        sa.Column("create_time", _TIME, nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claim_expire_time", _TIME),
        sa.Column("decisions", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("jws", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("close_time", _TIME),
    )
    op.create_table(
        "events",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id")),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("create_time", _TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_time", _TIME, nullable=False),
        sa.Column("answer", sa.String(256), nullable=False),
        sa.Column("answer_time", _TIME),
        sa.Column("end_time", _TIME),
    )
    op.create_index(
        "ix_events_endpoint_next_time",
        "events",
        ["endpoint", "next_time"],
        sqlite_where=sa.text("end_time IS NULL"),
        postgresql_where=sa.text("end_time IS NULL"),
    )
    op.create_index("ix_events_check_id", "events", ["check_id"])
    op.create_index("ix_events_tenant_create_time", "events", ["tenant", "create_time"])
    op.create_index("ix_events_endpoint_answer_time", "events", ["endpoint", "answer_time"])
    op.create_index("ix_events_end_time", "events", ["end_time"])
    op.create_table(
        "pending_approvals",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("action", sa.String(32), primary_key=True),
        sa.Column("arguments_sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("request_time", _TIME, nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
    )
    op.create_table(
        "console_sessions",
        sa.Column("secret_sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary(32), nullable=False),
        sa.Column("issuer_subject", sa.LargeBinary(32), nullable=False),
        sa.Column("issuer_session", sa.LargeBinary(32), nullable=False),
        sa.Column("end_time", _TIME, nullable=False),
    )
    op.create_table(
        "hosted_scans",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("return_url", sa.String(1024), nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
        sa.Column("browser_sha256", sa.LargeBinary(32)),
        sa.Column("codes", sa.Integer, nullable=False),
        sa.Column("code_sha256", sa.LargeBinary(32)),
        sa.Column("code_expire_time", _TIME),
        sa.Column("code_reopened", sa.Boolean, nullable=False),
        sa.Column("phone_sha256", sa.LargeBinary(32)),
        sa.Column("phone_number", sa.Integer),
        sa.Column("phone_confirmed", sa.Boolean, nullable=False),
        sa.Column("phone_ticket", sa.Boolean, nullable=False),
    )
    op.create_table(
        "enrolled_keys",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("key_sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("app", sa.String(256), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("ceiling", sa.String(16), nullable=False),
        sa.Column("for_tests", sa.Boolean, nullable=False),
        sa.Column("subject_hash", sa.String(64), nullable=False),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), nullable=False),
        sa.Column("use_time", _TIME, nullable=False),
        sa.Column("receipt", sa.LargeBinary),
        sa.Column("receipt_time", _TIME),
        sa.Column("receipt_due", _TIME),
    )
    op.create_table(
        "one_time_tokens",
        sa.Column("token", sa.LargeBinary(32), primary_key=True),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
    )
    op.create_table(
        "device_evidence",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("finding", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "device_key_uses",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("subject_hash", sa.String(64), nullable=False),
        sa.Column("time", _TIME, nullable=False),
    )
    op.create_table(
        "scan_memories",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject_hash", sa.String(64), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "scan_marks",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("mark", sa.LargeBinary(32), primary_key=True),
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("frame", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "check_tries",
        sa.Column("check_id", sa.Uuid, sa.ForeignKey("checks.check_id"), primary_key=True),
        sa.Column("mark", sa.LargeBinary(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("time", _TIME, nullable=False),
    )
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_events",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("role", sa.String(128), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("check_id", sa.String(36)),
        sa.Column("pseudonym", sa.String(64)),
        sa.Column("purpose", sa.String(256), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("jws", sa.Text, nullable=False),
        sa.Column("timestamp", sa.LargeBinary),
        sa.Column("position", sa.BigInteger),
    )
    op.create_table(
        "audit_subjects",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("subject_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
    )
    op.create_index(
        "ix_checks_tenant_subject_reference",
        "checks",
        ["tenant", "subject_reference"],
        sqlite_where=sa.text("subject_reference != ''"),
        postgresql_where=sa.text("subject_reference != ''"),
    )
    op.create_index("ix_checks_tenant_decide_time", "checks", ["tenant", "decide_time"])
    op.create_index(
        "ix_checks_tenant_sandbox_create_time_check_id",
        "checks",
        ["tenant", "sandbox", "create_time", "check_id"],
    )
    op.create_index("ix_checks_state_scan_deadline", "checks", ["state", "scan_deadline"])
    op.create_index("ix_checks_state_retain_until", "checks", ["state", "retain_until"])
    op.create_index(
        "ix_checks_images_until",
        "checks",
        ["images_until"],
        sqlite_where=sa.text("images_until IS NOT NULL"),
        postgresql_where=sa.text("images_until IS NOT NULL"),
    )
    op.create_index(
        "ix_checks_outcome_due",
        "checks",
        ["outcome_due"],
        sqlite_where=sa.text("outcome_due IS NOT NULL"),
        postgresql_where=sa.text("outcome_due IS NOT NULL"),
    )
    op.create_index("ix_record_terms_check_id", "record_terms", ["check_id"])
    op.create_index("ix_console_sessions_issuer_subject", "console_sessions", ["issuer_subject"])
    op.create_index("ix_console_sessions_issuer_session", "console_sessions", ["issuer_session"])
    op.create_index("ix_console_sessions_end_time", "console_sessions", ["end_time"])
    op.create_index("ix_hosted_scans_code_sha256", "hosted_scans", ["code_sha256"])
    op.create_index("ix_hosted_scans_browser_sha256", "hosted_scans", ["browser_sha256"])
    op.create_index("ix_hosted_scans_phone_sha256", "hosted_scans", ["phone_sha256"])
    op.create_index("ix_reviews_tenant_sandbox_create_time", "reviews", ["tenant", "sandbox", "create_time"])
    op.create_index(
        "ix_reviews_expire_time",
        "reviews",
        ["expire_time"],
        sqlite_where=sa.text("close_time IS NULL"),
        postgresql_where=sa.text("close_time IS NULL"),
    )
    op.create_index("ix_pending_approvals_expire_time", "pending_approvals", ["expire_time"])
    op.create_index("ix_enrolled_keys_check_id", "enrolled_keys", ["check_id"])
    op.create_index("ix_enrolled_keys_use_time", "enrolled_keys", ["use_time"])
    op.create_index("ix_one_time_tokens_check_id", "one_time_tokens", ["check_id"])
    op.create_index("ix_one_time_tokens_expire_time", "one_time_tokens", ["expire_time"])
    op.create_index("ix_device_key_uses_check_id", "device_key_uses", ["check_id"])
    op.create_index("ix_device_key_uses_tenant_subject_hash", "device_key_uses", ["tenant", "subject_hash"])
    op.create_index("ix_scan_memories_tenant_subject_hash", "scan_memories", ["tenant", "subject_hash"])
    op.create_index("ix_scan_marks_check_id", "scan_marks", ["check_id"])
    op.create_index("ix_check_tries_mark", "check_tries", ["mark"])
    op.create_index("ix_check_tries_time", "check_tries", ["time"])
    op.create_index("ix_audit_events_tenant_time_us", "audit_events", ["tenant", "time_us"])
    op.create_index(
        "ix_audit_events_tenant_action_sequence", "audit_events", ["tenant", "action", "sequence"]
    )
    op.create_index("ix_audit_events_tenant_check_id", "audit_events", ["tenant", "check_id"])
    op.create_index("ix_audit_events_tenant_pseudonym", "audit_events", ["tenant", "pseudonym"])
    op.create_index("ix_audit_checkpoints_position", "audit_checkpoints", ["position"], unique=True)
    if op.get_bind().dialect.name == "sqlite":
        _protect_sqlite()
    else:
        _protect_postgresql()


def _protect_sqlite() -> None:
    for table, allowed in _CHANGES.items():
        for what, condition in (("UPDATE", f"WHEN NOT ({allowed.format(same='IS')})"), ("DELETE", "")):
            op.execute(
                f"CREATE TRIGGER {table}_{what.lower()} BEFORE {what} ON {table} {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _protect_postgresql() -> None:
    for table, allowed in _CHANGES.items():
        op.execute(
            f"CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION '{table} is append-only'; "
            "END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN (NOT ({allowed.format(same='IS NOT DISTINCT FROM')})) EXECUTE FUNCTION {table}_kept()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION {table}_kept()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION {table}_kept()"
        )
