"""The errors of the database and the object store.

::

    StorageError
    ├── StorageUnavailable    the database or the object store did not answer correctly
    │   └── RowTaken              another writer inserted the same row, or one that this one needs is missing
    ├── SchemaOutdated        the database is older than this version needs, or too new for it
    ├── CheckNotFound         no check has this identifier
    ├── Conflict              another writer was first: the expected state or epoch is not current
    ├── SessionKeyMismatch    the check is bound to another session key
    ├── SessionKeyUnproven    the check is bound to this session key, but its proof is missing
    ├── TriesExceeded         too many checks of the same subject, portrait or device failed or run
    ├── RequestIdReused       the request_id was used before, with another payload
    ├── OnHold                a hold keeps the check
    ├── HoldNotFound          the check has no hold with this reference
    └── ObjectNotFound        no object under that key

Messages contain no biometric data, no token and no key. Exceptions of SQLAlchemy, Alembic, obstore and the
file system do not leave this folder; they are the ``__cause__`` of one of the above. Exceptions of PostgreSQL
are dropped, because their messages contain values.
"""

from datetime import datetime
from uuid import UUID

from server.domain.state import CheckState
from server.domain.tries import Standing, TryKind

__all__ = [
    "CheckNotFound",
    "Conflict",
    "HoldNotFound",
    "ObjectNotFound",
    "OnHold",
    "RequestIdReused",
    "RowTaken",
    "SchemaOutdated",
    "SessionKeyMismatch",
    "SessionKeyUnproven",
    "StorageError",
    "StorageUnavailable",
    "TriesExceeded",
]


class StorageError(Exception):
    """The base class of all errors of the database and the object store."""


class StorageUnavailable(StorageError):
    """The database or the object store could not perform an operation; a retry may help."""


class RowTaken(StorageUnavailable):
    """A constraint of the database is violated, usually because another writer inserted the same row."""


class SchemaOutdated(StorageError):
    """The database is older than this version needs, or a newer version shut this one out."""


class CheckNotFound(StorageError):
    """No check has this identifier.

    Attributes:
        check_id: The requested identifier.
    """

    def __init__(self, check_id: UUID) -> None:
        super().__init__(f"there is no check {check_id}")
        self.check_id = check_id


class TriesExceeded(StorageError):
    """Too many checks of the same subject, portrait or device failed, or are running.

    Attributes:
        kind: The kind of the mark that the limit applies to.
        standing: BUSY, LOCKED or BLOCKED.
        until: When a further check may be allowed.
    """

    def __init__(self, kind: TryKind, standing: Standing, until: datetime) -> None:
        super().__init__(f"the {kind.value} is {standing.value}")
        self.kind = kind
        self.standing = standing
        self.until = until


class Conflict(StorageError):
    """Another writer was first: the check is not in an expected state, or its lease epoch has changed.

    Attributes:
        state: The current state of the check.
        lease_epoch: The current lease epoch.
    """

    def __init__(self, message: str, *, state: CheckState, lease_epoch: int) -> None:
        super().__init__(f"{message}: the check is {state.value}, its lease epoch is {lease_epoch}")
        self.state = state
        self.lease_epoch = lease_epoch


class SessionKeyMismatch(StorageError):
    """The check is bound to the session key of its first stream, and this stream has another key."""


class SessionKeyUnproven(StorageError):
    """The check was bound to this session key after the caller had read it, so the key must be proved now."""


class RequestIdReused(StorageError):
    """The ``request_id`` was used before with another payload.

    Attributes:
        request_id: The identifier.
    """

    def __init__(self, request_id: str) -> None:
        super().__init__("this request_id was used before with another payload")
        self.request_id = request_id


class OnHold(StorageError):
    """The check cannot be erased, because holds keep it.

    Attributes:
        holds: The number of holds.
    """

    def __init__(self, holds: int) -> None:
        super().__init__(f"{holds} holds keep the check")
        self.holds = holds


class HoldNotFound(StorageError):
    """The check has no hold with this reference.

    Attributes:
        reference: The reference.
    """

    def __init__(self, reference: str) -> None:
        super().__init__("the check has no hold with this reference")
        self.reference = reference


class ObjectNotFound(StorageError):
    """No object is stored under this key.

    Attributes:
        key: The object's key.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no object {key}")
        self.key = key
