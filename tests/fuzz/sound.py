"""Requirements for every refusal."""

from facegate.v1 import error_reason_pb2

from server.base.errors import Refusal
from server.edge.status import to_status

__all__ = ["assert_sound"]

_LARGEST_STATUS = 4096
"""Details of a refusal travel as metadata, of which clients accept 8 KiB by default."""


def assert_sound(refusal: Refusal) -> None:
    """A refusal that every client can receive, without internal text."""
    status = to_status(refusal)
    size = sum(len(key) + len(value) for key, value in status.trailing_metadata or ())
    assert size < _LARGEST_STATUS, f"{size} bytes of details"
    assert len(status.details.encode()) < _LARGEST_STATUS
    assert "Traceback" not in status.details
    assert f"ERROR_REASON_{refusal.reason.value}" in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
