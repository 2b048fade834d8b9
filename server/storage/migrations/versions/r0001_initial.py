"""The schema of version 1.0.0, at which migrations begin; ``server.storage.schema`` makes the tables."""

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Do nothing: no database is older."""
