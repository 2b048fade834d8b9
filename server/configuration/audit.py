"""The settings of the audit log."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from server.base.table import Table

__all__ = ["AuditSettings"]


class AuditSettings(Table):
    """The checkpoints of the audit log."""

    checkpoint_minutes: int = Field(default=15, ge=1, le=1440)
    """Minutes between two signed checkpoints of a tenant's log that grows. Entries behind the newest
    checkpoint can be changed unseen by anyone with write access to the database."""
    witness_url: str | None = None
    """Folder or URL, as ``storage.objects_url``, of the witness: it keeps the newest checkpoints, so that a
    log that was changed or is older is noticed and not signed. All servers of a database share it. Whoever
    administers the database should not be able to write there. By default the object store."""
    timestamp_url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    """URL of a time-stamping authority (RFC 3161), which stamps checkpoints. It gets a hash only. Needs the
    extra ``timestamps``."""
    timestamp_roots: Path | None = None
    """PEM file with the root certificates of that authority. Mandatory with ``timestamp_url``."""

    @model_validator(mode="after")
    def _verifiable(self) -> Self:
        if self.timestamp_url is not None and self.timestamp_roots is None:
            raise ValueError(
                "time stamps are verified: set timestamp_roots to a PEM file with the roots of the authority"
            )
        return self
