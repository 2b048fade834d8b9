"""The tables, their indexes and triggers. Every change needs a migration in ``migrations/versions``.

A test upgrades a database of version 1.0.0 and compares it with this module.

The types of the columns convert, so that a row has the values of a record (``server.storage.records``).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    event,
    text,
)

from device_integrity import Assurance
from liveness import Verdict, VerdictReason
from server.domain.events import EventKind, EventState
from server.domain.reviews import ReviewCause, ReviewDecision, ReviewOutcome
from server.domain.terms import (
    AttemptOutcome,
    CheckState,
    CheckStatus,
    EndedBy,
    FailureReason,
    ImagePurpose,
    Mode,
    Plan,
    RequestedOutcome,
)
from server.domain.tries import TryKind, TryOutcome
from server.storage.records import KeyKind

Member = TypeVar("Member", bound=Enum)
Item = TypeVar("Item", bound=str)
Content = TypeVar("Content")


class UtcTime(TypeDecorator[datetime]):
    """A timezone-aware UTC time, even in databases without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a time to UTC; refuse a time without a zone, which would be ambiguous."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone was given to the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return the stored time in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Word(TypeDecorator[Member], Generic[Member]):
    """A member of an enumeration, stored as its value."""

    impl = String
    cache_ok = True

    def __init__(self, members: type[Member], length: int, *, alterable: bool = False) -> None:
        """Set the enumeration.

        Args:
            members: The enumeration; its values are strings.
            length: The length of the column in characters.
            alterable: Whether a word that is no member is read as None. The server writes no other word, so
                somebody with access to the database did. Otherwise reading it raises ``ValueError``.
        """
        super().__init__(length)
        self.members = members
        self.alterable = alterable

    def process_bind_param(self, value: Member | None, dialect: Dialect) -> str | None:
        """Return the value of a member."""
        return None if value is None else str(self.members(value).value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Member | None:
        """Return the member of a stored value."""
        if value is None:
            return None
        try:
            return self.members(value)
        except ValueError:
            if self.alterable:
                return None
            raise


class Words(TypeDecorator[tuple[Item, ...]], Generic[Item]):
    """Words in their order, stored as a list in JSON."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Item], *, alterable: bool = False) -> None:
        """Set the type of the words: ``str``, or an enumeration; for ``alterable`` see ``Word``."""
        super().__init__()
        self.kind = kind
        self.alterable = alterable

    def process_bind_param(self, value: Sequence[Item] | None, dialect: Dialect) -> str | None:
        """Return the words as JSON."""
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: Any | None, dialect: Dialect) -> tuple[Item, ...] | None:
        """Return the words of a stored list."""
        try:
            words = json.loads(value)  # type: ignore[arg-type]  # anything else raises TypeError
            if not isinstance(words, list):
                raise TypeError("the column holds no list")
            return tuple(self.kind(word) for word in words)
        except (TypeError, ValueError, RecursionError):
            if self.alterable:
                return None
            raise


class Json(TypeDecorator[Content], Generic[Content]):
    """A value of a type that pydantic knows, stored as JSON."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Content]) -> None:
        """Set the type of the values."""
        super().__init__()
        self.kind = kind
        self._adapter = TypeAdapter(kind)

    def process_bind_param(self, value: Content | None, dialect: Dialect) -> str | None:
        """Return a value as JSON."""
        return None if value is None else self._adapter.dump_json(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Content | None:
        """Return the value of stored JSON."""
        return None if value is None else self._adapter.validate_json(value)


def partial_index(*columns: str, where: str) -> Index:
    """Return an index of the rows that meet a condition."""
    return Index(None, *columns, sqlite_where=text(where), postgresql_where=text(where))


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

schema_floor = Table(
    "schema_floor",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("probes", BigInteger, nullable=False),
)
"""One row: the revision of the oldest servers that may use the database, and the number of write probes."""

policies = Table(
    "policies",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", LargeBinary, nullable=False),
)

checks = Table(
    "checks",
    metadata,
    Column("check_id", Uuid, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("state", Word(CheckState, 16), nullable=False),
    Column("policy_sha256", LargeBinary(32), ForeignKey("policies.sha256"), nullable=False),
    Column("requested_mode", Word(Mode, 16), nullable=False),
    Column("subject_reference", String(256), nullable=False),
    Column("consent_reference", String(256), nullable=False),
    Column("challenge_key_sha256", LargeBinary(32), nullable=False),
    Column("sandbox", Boolean, nullable=False),
    # Empty once the check is erased.
    Column("created_by", String(64), nullable=False),
    Column("template_ciphertext", LargeBinary),
    Column("template_wrapped_key", LargeBinary),
    Column("template_key_id", String(64)),
    Column("portrait_report", LargeBinary, nullable=False),
    Column("portrait_sha256", LargeBinary(32)),
    Column("pack_name", String(128), nullable=False),
    Column("pack_version", String(128), nullable=False),
    Column("pack_sha256", LargeBinary(32), nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("scan_deadline", UtcTime, nullable=False),
    Column("result_deadline", UtcTime, nullable=False),
    Column("session_key", LargeBinary),
    Column("session_key_sha256", LargeBinary(32)),
    Column("lease_owner", String(128)),
    Column("lease_epoch", Integer, nullable=False),
    Column("lease_until", UtcTime),
    Column("resume_until", UtcTime),
    Column("closing", Word(FailureReason, 32)),
    Column("streams", Integer, nullable=False),
    Column("bytes_received", BigInteger, nullable=False),
    Column("status", Word(CheckStatus, 16, alterable=True)),
    Column("reasons", Words(FailureReason, alterable=True), nullable=False),
    Column("decide_time", UtcTime),
    Column("retain_until", UtcTime),
    Column("retention_seconds", BigInteger),
    # Only while the check has images that are erased earlier than its record.
    Column("images_until", UtcTime),
    Column("images_erase_time", UtcTime),
    Column("finish_time", UtcTime),
    Column("erase_time", UtcTime),
    # The number of its events for webhooks so far.
    Column("events", Integer, nullable=False, server_default="0"),
    Column("requested_outcome", Json(RequestedOutcome)),
    # These two only while the check is open.
    Column("outcome_due", UtcTime),
    Column("trusted_check", LargeBinary),
    Column("enrolled_until", UtcTime),
    CheckConstraint("requested_outcome IS NULL OR sandbox", name="ck_checks_requested_outcome"),
    # Only open checks have the reference in clear.
    partial_index("tenant", "subject_reference", where="subject_reference != ''"),
    Index(None, "tenant", "decide_time"),
    Index(None, "tenant", "sandbox", "create_time", "check_id"),
    Index(None, "state", "scan_deadline"),
    Index(None, "state", "retain_until"),
    partial_index("images_until", where="images_until IS NOT NULL"),
    partial_index("outcome_due", where="outcome_due IS NOT NULL"),
)

requests = Table(
    "requests",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("method", String(64), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    # Empty once the check is erased.
    Column("payload_sha256", LargeBinary(32), nullable=False),
    Column("check_id", Uuid, ForeignKey("checks.check_id"), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("start_time", UtcTime, nullable=False),
    Column("mode", Word(Mode, 16), nullable=False),
    Column("plan", Word(Plan, 16), nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("outcome", Word(AttemptOutcome, 16)),
    Column("ended_by", Word(EndedBy, 24)),
    Column("verdict", Word(Verdict, 16)),
    Column("frames", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("feedback", Words(str), nullable=False),
    Column("doubts", Words(VerdictReason), nullable=False, server_default="[]"),
    Column("end_time", UtcTime),
    Column("final_mac_sha256", LargeBinary(32)),
    Column("judgement", LargeBinary),
    Column("frame_hashes", LargeBinary),
)

evidence = Table(
    "evidence",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Word(ImagePurpose, 32), nullable=False),
    Column("object_key", String(256), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("frame_index", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("rotation", Integer, nullable=False),
    Column("mirrored", Boolean, nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(64), nullable=False),
    UniqueConstraint("object_key"),
)

evidence_records = Table(
    "evidence_records",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("decide_time", UtcTime, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(64), nullable=False),
)
"""The evidence record of each decided check, sealed."""

record_terms = Table(
    "record_terms",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("term", String(128), primary_key=True),
    Column("decide_time", UtcTime, primary_key=True),
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Index(None, "check_id"),
)
"""The inverted index of evidence records: words, and keyed hashes of references."""

holds = Table(
    "holds",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("reference", String(128), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("reason", String(256), nullable=False),
    Column("placed_by", String(64), nullable=False),
    Column("place_time", UtcTime, nullable=False),
)
"""Legal holds: as long as a check has one, neither retention nor a call erases it."""

reviews = Table(
    "reviews",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("result_sha256", LargeBinary(32), nullable=False),
    Column("causes", Words(ReviewCause), nullable=False),
    Column("four_eyes", Boolean, nullable=False),
    Column("claim_seconds", Integer, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("expire_time", UtcTime, nullable=False),
    Column("claimed_by", String(64)),
    Column("claim_expire_time", UtcTime),
    Column("decisions", Json(tuple[ReviewDecision, ...]), nullable=False),
    Column("outcome", Word(ReviewOutcome, 16)),
    Column("jws", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    # When it was decided, or its expiry was logged.
    Column("close_time", UtcTime),
    Index(None, "tenant", "sandbox", "create_time"),
    partial_index("expire_time", where="close_time IS NULL"),
)
"""The reviews of decided checks by people; see ``server.domain.reviews``."""

events = Table(
    "events",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("kind", Word(EventKind, 32), nullable=False),
    Column("check_id", Uuid, ForeignKey("checks.check_id")),
    Column("sequence", Integer, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("state", Word(EventState, 16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_time", UtcTime, nullable=False),
    Column("answer", String(256), nullable=False),
    Column("answer_time", UtcTime),
    # Empty while it waits.
    Column("end_time", UtcTime),
    partial_index("endpoint", "next_time", where="end_time IS NULL"),
    Index(None, "check_id"),
    Index(None, "tenant", "create_time"),
    Index(None, "endpoint", "answer_time"),
    Index(None, "end_time"),
)
"""The outbox of webhooks, one row for each event and endpoint; see ``server.storage.events``."""

pending_approvals = Table(
    "pending_approvals",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("action", String(32), primary_key=True),
    Column("arguments_sha256", LargeBinary(32), primary_key=True),
    Column("requested_by", String(64), nullable=False),
    Column("request_time", UtcTime, nullable=False),
    Column("expire_time", UtcTime, nullable=False),
    Index(None, "expire_time"),
)
"""Actions that one person requested and a second one has to confirm."""

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("secret_sha256", LargeBinary(32), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("mac", LargeBinary(32), nullable=False),
    Column("issuer_subject", LargeBinary(32), nullable=False),
    Column("issuer_session", LargeBinary(32), nullable=False),
    Column("end_time", UtcTime, nullable=False),
    Index(None, "issuer_subject"),
    Index(None, "issuer_session"),
    Index(None, "end_time"),
)
"""The sessions of people in the console (``server.access.sessions``), until they are idle for too long."""

hosted_scans = Table(
    "hosted_scans",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("return_url", String(1024), nullable=False),
    Column("expire_time", UtcTime, nullable=False),
    Column("browser_sha256", LargeBinary(32)),
    Column("codes", Integer, nullable=False),
    Column("code_sha256", LargeBinary(32)),
    Column("code_expire_time", UtcTime),
    Column("code_reopened", Boolean, nullable=False),
    Column("phone_sha256", LargeBinary(32)),
    Column("phone_number", Integer),
    Column("phone_confirmed", Boolean, nullable=False),
    Column("phone_ticket", Boolean, nullable=False),
    Index(None, "code_sha256"),
    Index(None, "browser_sha256"),
    Index(None, "phone_sha256"),
)
"""The checks that are scanned on the server's own page, and the browsers that opened it, by hashes of their
cookies (``server.checks.hosted``). A code hands the scan over to a phone."""

enrolled_keys = Table(
    "enrolled_keys",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("kind", Word(KeyKind, 16), primary_key=True),
    Column("key_sha256", LargeBinary(32), primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("app", String(256), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("ceiling", Word(Assurance, 16), nullable=False),
    Column("for_tests", Boolean, nullable=False),
    Column("subject_hash", String(64), nullable=False),
    Column("check_id", Uuid, ForeignKey("checks.check_id"), nullable=False),
    Column("use_time", UtcTime, nullable=False),
    Column("receipt", LargeBinary),
    Column("receipt_time", UtcTime),
    Column("receipt_due", UtcTime),
    Index(None, "check_id"),
    Index(None, "use_time"),
)
"""Keys of App Attest and WebAuthn that outlive a scan, with Apple's newest receipt of App Attest keys.

In these tables of devices, a keyed hash stands for the subject reference; it is empty without a reference.
"""

one_time_tokens = Table(
    "one_time_tokens",
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("check_id", Uuid, ForeignKey("checks.check_id"), nullable=False),
    Column("expire_time", UtcTime, nullable=False),
    Index(None, "check_id"),
    Index(None, "expire_time"),
)
"""Evidence that counts once, kept for as long as it would be fresh."""

device_evidence = Table(
    "device_evidence",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("finding", LargeBinary, nullable=False),
)
"""The findings on each piece of evidence, for the streams that follow a lost one."""

device_key_uses = Table(
    "device_key_uses",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("key", LargeBinary(32), primary_key=True),
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("subject_hash", String(64), nullable=False),
    Column("time", UtcTime, nullable=False),
    Index(None, "check_id"),
    Index(None, "tenant", "subject_hash"),
)
"""The checks in which a device's key was used; keys are stored as HMACs."""

scan_memories = Table(
    "scan_memories",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject_hash", String(64), nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(64), nullable=False),
    Index(None, "tenant", "subject_hash"),
)
"""The frame hashes of decided scans, sealed, to recognise repeated frames."""

scan_marks = Table(
    "scan_marks",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("mark", LargeBinary(32), primary_key=True),
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Index(None, "check_id"),
)
"""The index of scan memories: HMACs of frame hashes (32 bytes) and of slices of them (8 bytes)."""

check_tries = Table(
    "check_tries",
    metadata,
    Column("check_id", Uuid, ForeignKey("checks.check_id"), primary_key=True),
    Column("mark", LargeBinary(32), primary_key=True),
    Column("kind", Word(TryKind, 16), nullable=False),
    Column("outcome", Word(TryOutcome, 16), nullable=False),
    Column("time", UtcTime, nullable=False),
    Index(None, "mark"),
    Index(None, "time"),
)
"""Running and failed checks by the HMACs of their subject, portrait and device."""

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The newest entry of each tenant's audit log; its row is locked by the writers of entries."""

audit_events = Table(
    "audit_events",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("action", String(64), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("role", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    # No foreign key: the entries outlive their checks.
    Column("check_id", String(36)),
    Column("pseudonym", String(64)),
    Column("purpose", String(256), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "tenant", "time_us"),
    Index(None, "tenant", "action", "sequence"),
    Index(None, "tenant", "check_id"),
    Index(None, "tenant", "pseudonym"),
)
"""The audit log (``server.audit``). Triggers refuse every UPDATE and DELETE.

Its types have no conversion, so that a row that somebody altered can still be read and reported.
"""

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("jws", Text, nullable=False),
    Column("timestamp", LargeBinary),
    # The position among the checkpoints of all tenants.
    Column("position", BigInteger),
    Index(None, "position", unique=True),
)
"""Signed checkpoints of the audit log. Only a missing time stamp may be added."""

audit_subjects = Table(
    "audit_subjects",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("subject_hash", LargeBinary(32), primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
)
"""The keys of pseudonyms in the audit log; erasing a person deletes the row."""

# A row of the table may change only if its condition holds; no row may be deleted. {same} compares values one
# of which may be NULL.
_CHANGES: Final = {
    audit_events: "false",
    audit_heads: "NEW.tenant = OLD.tenant AND NEW.sequence > OLD.sequence",
    audit_checkpoints: (
        "NEW.tenant = OLD.tenant AND NEW.number = OLD.number AND NEW.sequence = OLD.sequence "
        "AND NEW.time_us = OLD.time_us AND NEW.jws = OLD.jws AND OLD.timestamp IS NULL "
        "AND NEW.position {same} OLD.position"
    ),
}


def _protect(table: Table, allowed: str) -> None:
    """Add triggers to an append-only table."""
    name = table.name
    sqlite = [
        f"CREATE TRIGGER {name}_{what.lower()} BEFORE {what} ON {name} {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
        for what, condition in (("UPDATE", f"WHEN NOT ({allowed.format(same='IS')})"), ("DELETE", ""))
    ]
    changed = f"FOR EACH ROW WHEN (NOT ({allowed.format(same='IS NOT DISTINCT FROM')}))"
    postgresql = [
        f"CREATE FUNCTION {name}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{name} is append-only'; "
        "END $$",
        *(
            f"CREATE TRIGGER {name}_{what.lower()} BEFORE {what} ON {name} {rows} "
            f"EXECUTE FUNCTION {name}_kept()"
            for what, rows in (
                ("UPDATE", changed),
                ("DELETE", "FOR EACH ROW"),
                ("TRUNCATE", "FOR EACH STATEMENT"),
            )
        ),
    ]
    for dialect, statements in (("sqlite", sqlite), ("postgresql", postgresql)):
        for statement in statements:
            trigger = DDL(statement)  # type: ignore[no-untyped-call]  # it has no types
            event.listen(table, "after_create", trigger.execute_if(dialect=dialect))


for _table, _allowed in _CHANGES.items():
    _protect(_table, _allowed)
