"""The audit log: entries, heads and checkpoints, which triggers protect, and the keys of pseudonyms."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

_INDEXES = (
    ("tenant", "time_us"),
    ("tenant", "action", "sequence"),
    ("tenant", "check_id"),
    ("tenant", "pseudonym"),
)
# A row of the table may change only if its condition holds; no row may be deleted.
_CHANGES = {
    "audit_events": "false",
    "audit_heads": "NEW.tenant = OLD.tenant AND NEW.sequence > OLD.sequence",
    "audit_checkpoints": (
        "NEW.tenant = OLD.tenant AND NEW.number = OLD.number AND NEW.sequence = OLD.sequence "
        "AND NEW.time_us = OLD.time_us AND NEW.jws = OLD.jws AND OLD.timestamp IS NULL"
    ),
}


def upgrade() -> None:
    """Creates the tables and their triggers."""
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_audit_heads"),
    )
    op.create_table(
        "audit_events",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False, autoincrement=False),
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
        sa.PrimaryKeyConstraint("tenant", "sequence", name="pk_audit_events"),
    )
    for columns in _INDEXES:
        op.create_index(f"ix_audit_events_{'_'.join(columns)}", "audit_events", list(columns))
    op.create_table(
        "audit_checkpoints",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("jws", sa.Text, nullable=False),
        sa.Column("timestamp", sa.LargeBinary),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_audit_checkpoints"),
    )
    op.create_table(
        "audit_subjects",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "subject_hash", name="pk_audit_subjects"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _protect_sqlite()
    else:
        _protect_postgresql()


def downgrade() -> None:
    """Drops the tables with their triggers."""
    for table in ("audit_subjects", "audit_checkpoints", "audit_events", "audit_heads"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        for table in _CHANGES:
            op.execute(f"DROP FUNCTION {table}_kept()")


def _protect_sqlite() -> None:
    for table, allowed in _CHANGES.items():
        for what, condition in (("UPDATE", f"WHEN NOT ({allowed})"), ("DELETE", "")):
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
            f"WHEN (NOT ({allowed})) EXECUTE FUNCTION {table}_kept()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION {table}_kept()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION {table}_kept()"
        )
