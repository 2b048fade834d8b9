"""The positions of checkpoints of the audit log among those of all tenants."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None

_KEPT: Final = (
    "NEW.tenant = OLD.tenant AND NEW.number = OLD.number AND NEW.sequence = OLD.sequence "
    "AND NEW.time_us = OLD.time_us AND NEW.jws = OLD.jws AND OLD.timestamp IS NULL"
)


def upgrade() -> None:
    """Adds the column, which the trigger protects, too."""
    op.add_column("audit_checkpoints", sa.Column("position", sa.BigInteger))
    op.create_index("ix_audit_checkpoints_position", "audit_checkpoints", ["position"], unique=True)
    same = "IS" if _on_sqlite() else "IS NOT DISTINCT FROM"
    _replace_trigger(f"{_KEPT} AND NEW.position {same} OLD.position")


def downgrade() -> None:
    """Drops the column."""
    _replace_trigger(_KEPT)
    op.drop_index("ix_audit_checkpoints_position", "audit_checkpoints")
    op.drop_column("audit_checkpoints", "position")


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _replace_trigger(allowed: str) -> None:
    if _on_sqlite():
        op.execute("DROP TRIGGER IF EXISTS audit_checkpoints_update")
        op.execute(
            "CREATE TRIGGER audit_checkpoints_update BEFORE UPDATE ON audit_checkpoints "
            f"WHEN NOT ({allowed}) BEGIN SELECT RAISE(ABORT, 'audit_checkpoints is append-only'); END"
        )
    else:
        op.execute("DROP TRIGGER IF EXISTS audit_checkpoints_update ON audit_checkpoints")
        op.execute(
            "CREATE TRIGGER audit_checkpoints_update BEFORE UPDATE ON audit_checkpoints FOR EACH ROW "
            f"WHEN (NOT ({allowed})) EXECUTE FUNCTION audit_checkpoints_kept()"
        )
