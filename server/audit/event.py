"""The events that the audit log records: who did what, when, from where and why.

Every field has a maximum length, because some come from callers, and an entry is never deleted.

An entry names a person by a pseudonym: HMAC-SHA-256 of the subject's hash under a random key of that subject.
Erasing the person destroys this key: from then on, nobody can compute the pseudonym from the reference. The
entries do not change, so the chain stays whole.

Events that callers can repeat at will are counted (``Tally``), so that they cannot fill the disk.

::

    AuditError
    ├── AuditEventInvalid    a field of an event is too long, or is no printable text
    ├── AuditExportInvalid   a line of an export is malformed
    ├── AuditKeysInvalid     a document of public keys is malformed
    ├── CheckpointInvalid    a checkpoint is malformed, or no known key signed it
    └── LogChanged           the log does not extend what was signed before
"""

import hmac
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final, Generic, TypeVar
from uuid import UUID


class AuditError(Exception):
    """The base class of the errors of the audit log."""


class AuditEventInvalid(AuditError):
    """A field of an event is too long, or is no printable text. The message repeats no value."""

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


SERVER_TENANT: Final = "_server"
"""The tenant of events that concern the whole installation. No tenant of a caller begins with ``_``."""
LONGEST_PURPOSE_BYTES: Final = 256
"""The maximum length of a purpose, in bytes of UTF-8."""
_LONGEST_NAME: Final = 64
_LONGEST_ROLE: Final = 128
_LONGEST_ADDRESS: Final = 64
_LONGEST_KEY: Final = 64
_LONGEST_VALUE: Final = 1024
_MOST_DETAILS: Final = 128
_SUBJECT_BYTES: Final = 32
SUBJECT_KEY_BYTES: Final = 32
"""The length of the key of a subject."""
_SUBJECT_DOMAIN: Final = b"facegate/v1/audit-subject"
_PSEUDONYM_DOMAIN: Final = b"facegate/v1/audit-pseudonym"


class AuditAction(StrEnum):
    """What happened. The values are part of the export's schema and never change."""

    SETTINGS_CHANGED = "settings.changed"
    """A server started with other settings than the last logged ones."""
    POLICIES_CHANGED = "policies.changed"
    """A server started with other policies than the last logged ones."""
    CALLERS_CHANGED = "callers.changed"
    """The API keys or client certificates that may call have changed."""
    KEYS_CHANGED = "keys.changed"
    """The key folder holds other files than the last logged ones."""
    KEY_ROTATED = "key.rotated"
    """A command made the next key of a purpose."""
    KEY_RETIRED = "key.retired"
    """A command reduced a signing key to its public half."""
    KEYS_ENCRYPTED = "keys.encrypted"
    """Key files were encrypted under a key-encryption key."""
    KEY_REWRAPPED = "key.rewrapped"
    """Data keys were wrapped under another key."""
    KEY_DESTRUCTION_BEGUN = "key.destruction_begun"
    """A command begins to destroy a key. Without ``key.destroyed`` after it, it was refused or killed."""
    KEY_DESTROYED = "key.destroyed"
    """A key was destroyed, and with it the data that it wraps."""
    ACCESS_REFUSED = "access.refused"
    """A call was UNAUTHENTICATED or PERMISSION_DENIED, or a call of a compliance role was refused for any
    reason: ``method``, ``reason``, ``count``."""
    SESSION_BEGUN = "session.begun"
    """A person logged in at the console."""
    SESSION_ENDED = "session.ended"
    """A person logged out of the console, or the issuer ended the session."""
    RESULT_DELIVERED = "result.delivered"
    """FinishCheck returned the result of a check for the first time."""
    RESULT_REPEATED = "result.repeated"
    """FinishCheck returned the result of a check again: one entry a minute, with ``count``."""
    CHECKS_LISTED = "checks.listed"
    """ListChecks answered."""
    FIGURES_READ = "figures.read"
    """GetFigures answered."""
    EVIDENCE_READ = "evidence.read"
    """GetEvidence returned a record."""
    EVIDENCE_IMAGE_READ = "evidence.image_read"
    """GetEvidenceImage returned an image."""
    EVIDENCE_EXPORTED = "evidence.exported"
    """ExportEvidence returned an archive."""
    EVIDENCE_DELETED = "evidence.deleted"
    """A caller erased a check, alone or with its person."""
    EVIDENCE_EXPIRED = "evidence.expired"
    """Retention erased a check, or its images alone (``part``)."""
    HOLD_PLACED = "hold.placed"
    """A legal hold was placed on a check."""
    HOLD_RELEASED = "hold.released"
    """A legal hold was released."""
    REVIEW_OPENED = "review.opened"
    """The decision on a check sent it to review by people."""
    REVIEWS_LISTED = "reviews.listed"
    """ListReviews answered."""
    REVIEW_READ = "review.read"
    """GetReview returned a review."""
    REVIEW_CLAIMED = "review.claimed"
    """A reviewer claimed a review."""
    REVIEW_RELEASED = "review.released"
    """A reviewer gave a claimed review back."""
    REVIEW_DECIDED = "review.decided"
    """A reviewer decided; ``state`` states whether that ended the review."""
    REVIEW_EXPIRED = "review.expired"
    """The deadline of a review passed before it was decided."""
    EVENTS_REPLAYED = "events.replayed"
    """ReplayEvents made events of webhooks due again."""
    SUBJECT_ERASED = "subject.erased"
    """A person was erased."""
    SUBJECT_EXPORTED = "subject.exported"
    """A person's data were exported."""
    DEVICES_FORGOTTEN = "devices.forgotten"
    """The data on a person's devices were erased."""
    APPROVAL_REQUESTED = "approval.requested"
    """An action that needs two people was requested."""
    APPROVAL_GIVEN = "approval.given"
    """A second person confirmed an action."""
    APPROVAL_WITHDRAWN = "approval.withdrawn"
    """A request for an action that needs two people was withdrawn."""
    AUDIT_READ = "audit.read"
    """ListAuditEvents or ExportAuditLog answered."""
    BACKUP_MADE = "backup.made"
    """``facegate backup`` copied a ``part``."""
    BACKUP_RESTORED = "backup.restored"
    """``facegate restore database`` restored a backup."""
    AUDIT_ACCEPTED = "audit.accepted"
    """``facegate audit accept`` accepted a log that lacks signed checkpoints, such as that of a restored
    backup."""
    WITNESS_BEGUN = "witness.begun"
    """The witness was empty; the entries before this one are compared with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The party that acted.

    Attributes:
        name: The name of the caller, of the shell's user, or of the server; at most 64 characters.
        role: Its roles, comma-separated, ``"shell"`` or ``"server"``; at most 128 characters.
        address: The network address without a port, or the name of the machine; at most 64 characters.
    """

    name: str
    role: str
    address: str = ""

    def __post_init__(self) -> None:
        """Validate the fields.

        Raises:
            AuditEventInvalid: A field is too long, or is no printable text.
        """
        _validate("actor.name", self.name, characters=_LONGEST_NAME)
        _validate("actor.role", self.role, characters=_LONGEST_ROLE)
        _validate("actor.address", self.address, characters=_LONGEST_ADDRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An event to record.

    Attributes:
        tenant: The tenant whose chain records it; ``SERVER_TENANT`` for the installation.
        actor: The party that acted.
        subject: The person that it concerns, as the 32 bytes of ``server.audit.subject_hash``. The entry
            carries a pseudonym instead.
        purpose: Why, as the actor states it; at most 256 bytes of UTF-8.
        detail: Further facts, at most 128 of at most 1024 characters each. No biometric data, no token, no
            key, and no reference to a person or a consent.
    """

    tenant: str
    action: AuditAction
    actor: Actor
    check_id: UUID | None = None
    subject: bytes | None = field(default=None, repr=False)
    purpose: str = ""
    detail: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Validate the fields, and freeze the details.

        Raises:
            AuditEventInvalid: A field is too long, or is no printable text.
        """
        _validate("tenant", self.tenant, characters=_LONGEST_NAME)
        if not self.tenant:
            raise AuditEventInvalid("tenant", "it is empty")
        if self.subject is not None and len(self.subject) != _SUBJECT_BYTES:
            raise AuditEventInvalid("subject", f"it is not a hash of {_SUBJECT_BYTES} bytes")
        _validate("purpose", self.purpose, characters=LONGEST_PURPOSE_BYTES)
        if len(self.purpose.encode()) > LONGEST_PURPOSE_BYTES:
            raise AuditEventInvalid("purpose", f"it has more than {LONGEST_PURPOSE_BYTES} bytes")
        if len(self.detail) > _MOST_DETAILS:
            raise AuditEventInvalid("detail", f"it has more than {_MOST_DETAILS} entries")
        for key, value in self.detail.items():
            _validate("detail", key, characters=_LONGEST_KEY)
            _validate("detail", value, characters=_LONGEST_VALUE)
        object.__setattr__(self, "detail", MappingProxyType(dict(self.detail)))


def _validate(name: str, text: str, *, characters: int) -> None:
    if len(text) > characters:
        raise AuditEventInvalid(name, f"it has more than {characters} characters")
    # Control characters and lone surrogates: databases refuse some, and terminals obey others.
    if not text.isprintable():
        raise AuditEventInvalid(name, "it has characters that are not printable")


def subject_hash(tenant_key: bytes, subject: str) -> bytes | None:
    """Return the hash under which the audit log knows a person, 32 bytes; ``None`` without a reference.

    Args:
        subject: The subject reference; empty for none.
    """
    return hmac.digest(tenant_key, _SUBJECT_DOMAIN + subject.encode(), "sha256") if subject else None


def subject_hashes(tenant_keys: Iterable[bytes], subject: str) -> tuple[bytes, ...]:
    """Return the hashes of a person under every key that the tenant has and had; none without a reference.

    Args:
        tenant_keys: The keys of the tenant, newest first (``KeyRing.memory.tenant_keys``).
        subject: The subject reference; empty for none.
    """
    found = (subject_hash(key, subject) for key in tenant_keys)
    return tuple(one for one in found if one is not None)


def pseudonym(key: bytes, subject: bytes) -> bytes:
    """Return the pseudonym of a person, 32 bytes.

    Args:
        key: The key of the subject, 32 random bytes.
        subject: What ``subject_hash`` returns.
    """
    return hmac.digest(key, _PSEUDONYM_DOMAIN + subject, "sha256")


_Key = TypeVar("_Key", bound=Hashable)
_INTERVAL: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Repeats(Generic[_Key]):
    """Events of one kind that were counted and not recorded.

    Attributes:
        key: The key of the events; for those of kinds beyond the maximum, what they share.
    """

    key: _Key | None
    count: int


@dataclass(slots=True)
class _Interval:
    start: datetime
    repeats: int = 0


@dataclass(kw_only=True, eq=False)
class Tally(Generic[_Key]):
    """Selects the first event of each kind for recording, and counts further ones for a minute.

    Attributes:
        most: The maximum number of kinds.
        shared: Returns the key under which the events of a kind beyond the maximum are counted. It must
            have few values. By default, all share one count.
    """

    most: int
    shared: Callable[[_Key], _Key | None] = lambda _: None
    _intervals: dict[_Key, _Interval] = field(default_factory=dict, init=False)
    _beyond: dict[_Key | None, _Interval] = field(default_factory=dict, init=False)

    def record_or_count(self, key: _Key, now: datetime) -> bool:
        """Return whether the event is to be recorded now; otherwise count it for ``due``."""
        interval = self._intervals.get(key)
        if interval is None and len(self._intervals) < self.most:
            self._intervals[key] = _Interval(now)
            return True
        if interval is None:
            interval = self._beyond.setdefault(self.shared(key), _Interval(now))
        interval.repeats += 1
        return False

    def due(self, now: datetime, *, everything: bool = False) -> tuple[Repeats[_Key], ...]:
        """Return the counts of the minutes that have ended, and begin new ones.

        Args:
            everything: Whether the running minutes are ended, too.
        """
        found: list[Repeats[_Key]] = []
        ends = partial(_ends, now=now, everything=everything)
        for key, interval in list(filter(ends, self._intervals.items())):
            del self._intervals[key]
            if interval.repeats:
                found.append(Repeats(key, interval.repeats))
                if not everything:
                    # The next event of a kind that continues is counted, too: one entry a minute, not two.
                    self._intervals[key] = _Interval(now)
        for shared, interval in list(filter(ends, self._beyond.items())):
            del self._beyond[shared]
            found.append(Repeats(shared, interval.repeats))
        return tuple(found)


def _ends(counted: tuple[object, _Interval], *, now: datetime, everything: bool) -> bool:
    # A clock that was set back must not keep a kind for ever.
    return everything or not timedelta() <= now - counted[1].start < _INTERVAL
