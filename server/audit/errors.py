"""The errors of the audit log.

::

    AuditError
    ├── AuditEventInvalid    a field of an event is too long, or is no printable text
    ├── AuditExportInvalid   a line of an export is malformed
    ├── AuditKeysInvalid     a document of public keys is malformed
    ├── CheckpointInvalid    a checkpoint is malformed, or no known key signed it
    └── LogChanged           the log does not extend what was signed before
"""

__all__ = [
    "AuditError",
    "AuditEventInvalid",
    "AuditExportInvalid",
    "AuditKeysInvalid",
    "CheckpointInvalid",
    "LogChanged",
]


class AuditError(Exception):
    """The base class of the errors of the audit log."""


class AuditEventInvalid(AuditError):
    """A field of an event is too long, or is no printable text. The message repeats no value.

    Attributes:
        field: The name of the field.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class AuditExportInvalid(AuditError):
    """A line of an export is malformed."""


class AuditKeysInvalid(AuditError):
    """A document of public keys is malformed."""


class CheckpointInvalid(AuditError):
    """A checkpoint is malformed, is not signed by a known key, or was signed outside the key's validity."""


class LogChanged(AuditError):
    """The log does not extend what was signed before: it was changed, or is older. Nothing may be signed."""
