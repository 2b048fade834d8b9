"""Terms of a policy and a reason together, for lists by both."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Adds the terms of the records that are there."""
    op.execute(
        sa.text(
            "INSERT INTO record_terms (tenant, term, decide_time, check_id) "
            "SELECT reason.tenant, "
            "'reason_policy:' || substr(reason.term, 8) || ':' || substr(policy.term, 8), "
            "reason.decide_time, reason.check_id "
            "FROM record_terms AS reason JOIN record_terms AS policy ON policy.check_id = reason.check_id "
            "WHERE reason.term LIKE 'reason:%' AND policy.term LIKE 'policy:%'"
        )
    )


def downgrade() -> None:
    """Deletes the terms."""
    op.execute(sa.text("DELETE FROM record_terms WHERE substr(term, 1, 14) = 'reason_policy:'"))
