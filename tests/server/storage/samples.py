"""Checks and evidence with arbitrary contents, for tests of the storage."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Executable, Select, func, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement

from device_integrity import Assurance
from server.domain.reviews import Review, ReviewCause
from server.domain.terms import AttemptOutcome, CheckStatus, FailureReason, ImagePurpose, Mode
from server.keyring.sealing import Sealed
from server.storage.devices import EnrolledKey
from server.storage.errors import ObjectNotFound
from server.storage.objects import ObjectStore
from server.storage.records import (
    AttemptEnding,
    CheckRecord,
    Decision,
    EvidenceEntry,
    KeyKind,
    RequestKey,
    SealedRecord,
)
from server.storage.repository import CheckRepository
from server.storage.tables import (
    device_evidence,
    device_key_uses,
    enrolled_keys,
    one_time_tokens,
    scan_marks,
    scan_memories,
)
from server.verdict.record import ImageFacts

NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
SESSION_KEY = b"a session key, as SubjectPublicKeyInfo"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def new_check(
    check_id: UUID | None = None,
    *,
    tenant: str = "default",
    scan_seconds: float = 180,
    policy: bytes = b"policy",
) -> CheckRecord:
    return CheckRecord(
        check_id=check_id or uuid4(),
        tenant=tenant,
        policy_name="standard",
        policy_version=3,
        policy_sha256=hashlib.sha256(policy).digest(),
        policy_source=policy,
        requested_mode=Mode.EXPRESS,
        subject_reference="subject-1",
        consent_reference="consent-1",
        portrait_template=Sealed(b"ciphertext of a template", b"its wrapped key", "key-1"),
        portrait_report=b"report",
        pack_name="embedded",
        pack_version="1",
        pack_sha256=b"p" * 32,
        create_time=NOW,
        scan_deadline=after(scan_seconds),
        result_deadline=after(86_400),
        challenge_key_sha256=b"k" * 32,
    )


def enrolled_key(check_id: UUID, **changes: Any) -> EnrolledKey:
    key = EnrolledKey(
        tenant="default",
        kind=KeyKind.APP_ATTEST,
        key_id=b"k" * 32,
        public_key=b"a public key",
        counter=0,
        app="TEAM123456.org.example.bank",
        environment="production",
        ceiling=Assurance.HIGH,
        for_tests=False,
        subject_hash="hash-1",
        check_id=check_id,
        use_time=NOW,
    )
    return replace(key, **changes)


def request(request_id: str = "r-1", *, payload: bytes = b"payload", tenant: str = "default") -> RequestKey:
    return RequestKey(
        tenant=tenant,
        method="UploadTrustedImage",
        request_id=request_id,
        payload_sha256=hashlib.sha256(payload).digest(),
    )


def entry(
    name: str,
    *,
    kind: ImagePurpose = ImagePurpose.EVIDENCE_FRAME,
    wrapped_key: bytes = b"wrapped key",
    attempt: int = 1,
) -> EvidenceEntry:
    return EvidenceEntry(
        ImageFacts(
            purpose=kind,
            sha256=hashlib.sha256(name.encode()).digest(),
            frame_index=7,
            attempt=attempt,
            rotation=270,
            mirrored=True,
            media_type="image/jpeg",
        ),
        object_key=f"evidence/{name}",
        wrapped_key=wrapped_key,
        key_id="key-1",
    )


def new_review(check_id: UUID, **changes: Any) -> Review:
    """A review of which nothing is decided yet."""
    review = Review(
        check_id=check_id,
        tenant="default",
        sandbox=False,
        created_by="backend",
        result_sha256=bytes(32),
        causes=(ReviewCause.SAMPLE,),
        four_eyes=False,
        claim_seconds=60,
        create_time=NOW,
        expire_time=after(1000),
    )
    return replace(review, **changes)


def sealed_record(content: bytes = b"result", *, terms: tuple[str, ...] = ()) -> SealedRecord:
    return SealedRecord(
        version=1, sealed=Sealed(content, b"wrapped key of a record", "key-1"), terms=("all", *terms)
    )


def decision(*evidence: EvidenceEntry, result: bytes = b"result", retain_seconds: float = 1000) -> Decision:
    return Decision(
        status=CheckStatus.FAILURE,
        reasons=(FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON),
        record=sealed_record(result),
        evidence=evidence,
        decide_time=after(20),
        retain_until=after(retain_seconds),
    )


def ending(number: int = 1, **changes: Any) -> AttemptEnding:
    """How an attempt ended that is to be made again."""
    made = AttemptEnding(
        number=number,
        outcome=AttemptOutcome.RETRY,
        frames=11,
        dropped=2,
        feedback=("TOO_DARK", "HOLD_STILL"),
        end_time=after(9),
        final_mac_sha256=b"m" * 32,
    )
    return replace(made, **changes)


# The plan that a database makes for a query, as text.


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explain, "postgresql")
def _postgresql(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN {compiler.process(element.query, **options)}"


@compiles(_Explain, "sqlite")
def _sqlite(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.query, **options)}"


def plan_of(connection: Connection, query: Select[Any]) -> str:
    """The plan of a query. PostgreSQL scans small tables unless it must not, so it must not."""
    if connection.dialect.name == "postgresql":
        for setting in ("enable_seqscan", "enable_bitmapscan"):
            connection.execute(text(f"SET LOCAL {setting} = off"))
    return "\n".join(str(tuple(row)) for row in connection.execute(_Explain(query)))


# Checks in every state, for tests of the repository.


async def created(repository: CheckRepository) -> CheckRecord:
    return await repository.create(new_check(), None)


async def decided(repository: CheckRepository, made: Decision | None = None, **check: Any) -> UUID:
    """A check that was decided without a scan; ``check`` changes its fields."""
    check_id = (await repository.create(replace(new_check(), **check), None)).check_id
    await repository.decide(check_id, epoch=None, decision=made or decision())
    return check_id


async def scanning(repository: CheckRepository) -> CheckRecord:
    record = await created(repository)
    return await lease(repository, record)


async def lease(repository: CheckRepository, record: CheckRecord, *, seconds: float = 15) -> CheckRecord:
    return await repository.acquire_lease(
        record.check_id,
        session_key=SESSION_KEY,
        proven=True,
        owner="replica-1",
        now=after(1),
        lease_seconds=seconds,
    )


async def end(
    repository: CheckRepository,
    check_id: UUID,
    *,
    epoch: int,
    judgement: bytes | None = None,
    evidence: tuple[EvidenceEntry, ...] = (),
) -> None:
    await repository.end_attempt(
        check_id,
        epoch=epoch,
        ending=ending(judgement=judgement),
        evidence=evidence,
    )


def rows_about_device(connection: Connection, check_id: UUID) -> int:
    """The number of rows about a check's device that name its person or check, 0 after an erasure."""
    tables = (scan_marks, scan_memories, device_key_uses, device_evidence, one_time_tokens, enrolled_keys)
    number = select(func.count())
    queries = [number.select_from(table).where(table.c.check_id == check_id) for table in tables]
    queries[-1] = queries[-1].where(enrolled_keys.c.subject_hash != "")
    return sum(connection.execute(query).scalar_one() for query in queries)


async def object_exists(store: ObjectStore, key: str) -> bool:
    try:
        await store.get(key)
    except ObjectNotFound:
        return False
    return True
