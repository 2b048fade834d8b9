"""The records of attempts, the templates at rest, and the refusals."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from formats.errors import ImageFault
from liveness import TrustedFace
from matcher.errors import RefusalReason, TrustedImageRefused
from server.base.errors import Reason, Refusal
from server.checks.recorder import result_images, server_fault
from server.checks.refusals import refusal_of
from server.checks.reviews import ReviewSelection
from server.checks.templates import open_template, seal_template
from server.domain.reviews import ReviewCause
from server.domain.terms import (
    AttemptOutcome,
    CheckStatus,
    EndedBy,
    ImagePurpose,
    SealedKind,
    reference_term,
)
from server.edge.status import CODE_OF
from server.keyring.sealing import Context, SealError, WrappingKeys, seal
from server.policies import Policy, parse_policy
from server.storage.records import AttemptRecord
from server.verdict import FailureReason
from server.verdict.outcome import CheckOutcome
from tests.server.policy_files import write_policy
from tests.server.scan.records import attempt_record, check_record
from tests.server.storage.samples import entry, new_check
from tests.server.verdict.samples import OUTCOME, camera_sign
from vision.geometry import CHIP_SHAPE
from vision.packs import Template


def _ended(
    number: int, ended_by: EndedBy | None, judgement: bytes | None = None, *, counted: bool = True
) -> AttemptRecord:
    return attempt_record(
        number,
        outcome=AttemptOutcome.INTERRUPTED,
        ended_by=ended_by,
        judgement=judgement,
        counted=counted and judgement is not None,
    )


@pytest.mark.parametrize(
    ("ended_by", "fault"),
    [
        (EndedBy.SERVER_FAULT, FailureReason.SERVER_FAULT),
        (EndedBy.SERVER_STOPPED, FailureReason.INTERRUPTED),
    ],
)
def test_the_last_attempt_tells(ended_by: EndedBy, fault: FailureReason) -> None:
    judged = _ended(1, EndedBy.SIGNED, b"judged")
    assert server_fault([judged, _ended(2, ended_by)]) is fault
    # A device that then begins anew and leaves at once has still not been judged.
    assert server_fault([judged, _ended(2, ended_by), _ended(3, EndedBy.HALF_CLOSED)]) is fault
    assert server_fault([_ended(1, ended_by), _ended(2, EndedBy.CONNECTION_LOST, b"judged")]) is None
    # Too few frames arrived for a judgement.
    empty = _ended(2, EndedBy.SIGNED, b"judged", counted=False)
    assert server_fault([_ended(1, ended_by), empty]) is fault


@pytest.mark.parametrize("ended_by", sorted(set(EndedBy) - {EndedBy.SERVER_FAULT, EndedBy.SERVER_STOPPED}))
def test_errors_of_a_device_are_no_server_fault(ended_by: EndedBy) -> None:
    assert server_fault([_ended(1, ended_by)]) is None


def test_a_superseded_stream_that_never_spoke_was_stopped() -> None:
    silent = attempt_record(1, outcome=AttemptOutcome.INTERRUPTED, ended_by=None)
    assert server_fault([silent]) is FailureReason.INTERRUPTED


def test_no_attempt_is_no_fault() -> None:
    assert server_fault([]) is None
    assert server_fault([attempt_record(1)]) is None


FRAME, AUDIT = ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE


def test_without_pictures_there_are_none() -> None:
    assert result_images((), (attempt_record(1, judgement=b"judged"),)) == ()
    assert result_images((), ()) == ()


def test_the_judged_attempt_is_shown_and_not_a_later_one() -> None:
    entries = (
        entry("a", attempt=1),
        entry("b", attempt=1, kind=AUDIT),
        entry("c", attempt=2),
        entry("d", attempt=2, kind=AUDIT),
    )
    attempts = (
        attempt_record(1, judgement=b"judged", outcome=AttemptOutcome.RETRY),
        attempt_record(2, outcome=AttemptOutcome.INTERRUPTED),
    )
    assert result_images(entries, attempts) == entries[:2]


def test_without_a_judgement_the_last_face_is_shown() -> None:
    entries = (entry("a", attempt=1), entry("c", attempt=2, kind=AUDIT), entry("d", attempt=2))
    attempts = (attempt_record(1), attempt_record(2), attempt_record(3))
    assert result_images(entries, attempts) == (entries[2], entries[1])


# Portrait templates at rest.

KEYS = WrappingKeys(newest="k", keys={"k": bytes(range(32))})


def test_a_template_opens_for_its_own_check_only() -> None:
    template = Template(np.linspace(-1, 1, 128, dtype=np.float32), "model/abc/128/five points")
    record = check_record()
    sealed = seal_template(
        template,
        trusted=None,
        tenant=record.tenant,
        check_id=record.check_id,
        wrapping_keys=KEYS,
    )

    portrait = open_template(replace(record, portrait_template=sealed), wrapping_keys=KEYS)
    assert portrait.trusted is None
    opened = portrait.template
    assert opened.vector.dtype == np.float32
    assert np.array_equal(opened.vector, template.vector)
    assert opened.form_id == template.form_id
    assert template.vector.tobytes() not in sealed.ciphertext
    with pytest.raises(SealError):
        open_template(replace(record, check_id=uuid4(), portrait_template=sealed), wrapping_keys=KEYS)
    with pytest.raises(SealError):
        open_template(replace(record, tenant="other", portrait_template=sealed), wrapping_keys=KEYS)


@pytest.mark.parametrize("document", [False, True])
def test_the_aligned_face_is_sealed_with_the_template(document: bool) -> None:
    template = Template(np.linspace(-1, 1, 128, dtype=np.float32), "model/abc/128/five points")
    chip = np.arange(CHIP_SHAPE[0] * CHIP_SHAPE[1], dtype=np.uint32).astype(np.uint8).reshape(CHIP_SHAPE)
    record = check_record()
    sealed = seal_template(
        template,
        trusted=TrustedFace(chip, document=document),
        tenant=record.tenant,
        check_id=record.check_id,
        wrapping_keys=KEYS,
    )
    opened = open_template(replace(record, portrait_template=sealed), wrapping_keys=KEYS)
    assert np.array_equal(opened.template.vector, template.vector)
    assert opened.trusted is not None
    assert np.array_equal(opened.trusted.chip, chip)
    assert opened.trusted.document is document
    assert chip.tobytes() not in sealed.ciphertext


def test_a_destroyed_template_closes_the_check() -> None:
    with pytest.raises(Refusal) as caught:
        open_template(replace(check_record(), portrait_template=None), wrapping_keys=KEYS)
    assert caught.value.reason is Reason.CHECK_CLOSED


def test_a_template_of_another_version_is_refused_by_name() -> None:
    record = check_record()
    other = seal(
        b"FGT3" + bytes(512),
        wrapping_keys=KEYS,
        aad=Context(tenant=record.tenant, check_id=record.check_id, kind=SealedKind.PORTRAIT_TEMPLATE),
    )
    with pytest.raises(Refusal) as caught:
        open_template(replace(record, portrait_template=other), wrapping_keys=KEYS)
    assert caught.value.reason is Reason.PACK_CHANGED


@pytest.mark.parametrize("reason", [*RefusalReason, *ImageFault])
def test_every_refusal_of_the_matcher_has_a_reason_on_the_wire(reason: RefusalReason | ImageFault) -> None:
    refusal = refusal_of(TrustedImageRefused(reason, "what is wrong"))
    assert CODE_OF[refusal.reason].name == "INVALID_ARGUMENT"
    assert refusal.reason.value.startswith(("IMAGE_", "FACE_", "MULTIPLE_", "EYE_", "ISO_"))


@pytest.mark.parametrize(
    ("reason", "on_the_wire"),
    [
        (RefusalReason.RECORD_MALFORMED, Reason.IMAGE_MALFORMED),
        (RefusalReason.RECORD_NOT_ONE_FACE, Reason.MULTIPLE_FACES),
        (RefusalReason.RECORD_WRONG_MODALITY, Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (RefusalReason.ISO_39794_NOT_SUPPORTED, Reason.ISO_39794_NOT_SUPPORTED),
        (RefusalReason.NOT_CONFORMANT, Reason.IMAGE_NOT_CONFORMANT),
        (ImageFault.TOO_SMALL, Reason.EYE_DISTANCE_TOO_SMALL),
    ],
)
def test_reasons_that_differ(reason: RefusalReason | ImageFault, on_the_wire: Reason) -> None:
    refusal = refusal_of(TrustedImageRefused(reason, "m", details={"required_faces": 1, "faces": 2}))
    assert refusal.reason is on_the_wire
    assert str(refusal) == "m"
    assert refusal.details == {"requiredFaces": 1, "faces": 2}


def test_a_record_of_no_face_is_one_without_a_face() -> None:
    details = {"representations": 0, "required_representations": 1}
    refusal = refusal_of(TrustedImageRefused(RefusalReason.RECORD_NOT_ONE_FACE, "m", details=details))
    assert refusal.reason is Reason.FACE_NOT_FOUND
    assert refusal.details == {"representations": 0, "requiredRepresentations": 1}


# Which decisions begin a review.


_KEYS = (b"new key", b"old key")


class _Records:
    """Stands in for the records of a person's earlier checks."""

    def __init__(self, *reasons: tuple[FailureReason, ...]) -> None:
        self.reasons = reasons
        self.asked: dict[str, Any] = {}

    async def list(
        self, tenant: str, terms: Sequence[Sequence[str]], *, since: datetime, limit: int
    ) -> list[SimpleNamespace]:
        self.asked = {"tenant": tenant, "terms": terms, "since": since}
        return [SimpleNamespace(status=CheckStatus.FAILURE, reasons=one) for one in self.reasons[:limit]]


@pytest.fixture
def policy(tmp_path: Any) -> Any:
    def made(review: str) -> Policy:
        write_policy(tmp_path, "reviewed", tables=f"[review]\n{review}\n")
        return parse_policy((tmp_path / "reviewed.toml").read_bytes(), origin="a test").policy

    return made


def _failed(*reasons: FailureReason) -> CheckOutcome:
    return replace(OUTCOME, verdict=replace(OUTCOME.verdict, status=CheckStatus.FAILURE, reasons=reasons))


_SUCCESS = replace(OUTCOME, verdict=replace(OUTCOME.verdict, status=CheckStatus.SUCCESS, reasons=()))
_SIGNED = replace(_SUCCESS, device=replace(_SUCCESS.device, signs=(camera_sign(0.6),)))
_CALM = replace(_SUCCESS, device=replace(_SUCCESS.device, signs=(camera_sign(0.4),)))


async def _causes(
    policy: Policy, outcome: CheckOutcome, *, doubted: bool = False, records: _Records | None = None
) -> tuple[ReviewCause, ...]:
    selection = ReviewSelection(records=records or _Records(), tenant_keys=lambda _: _KEYS)  # type: ignore[arg-type]
    review = await selection.begin(
        replace(new_check(UUID(int=1)), created_by="backend"),
        outcome,
        policy=policy,
        doubted=doubted,
        until=outcome.decide_time + timedelta(days=30),
        result=b"result",
    )
    if review is None:
        return ()
    assert review.created_by == "backend"
    assert review.result_sha256 == sha256(b"result").digest()
    assert review.create_time == outcome.decide_time
    return review.causes


@pytest.mark.parametrize(
    ("table", "outcome", "doubted", "expected"),
    [
        ("doubt = true", _SUCCESS, True, (ReviewCause.DOUBT,)),
        ("doubt = true", _SUCCESS, False, ()),
        # The challenge did not resolve it, and the machine has refused the person.
        ("doubt = true", _failed(FailureReason.SPOOF), True, ()),
        (
            "inconclusive = true",
            _failed(FailureReason.CONDITIONS, FailureReason.LIVENESS_INCONCLUSIVE),
            False,
            (ReviewCause.INCONCLUSIVE,),
        ),
        ("inconclusive = true", _failed(FailureReason.SPOOF), False, ()),
        ("device_signs = true", _SIGNED, False, (ReviewCause.DEVICE_SIGN,)),
        ("device_signs = true", _CALM, False, ()),
        ("sample_percent = 100", _SUCCESS, False, (ReviewCause.SAMPLE,)),
        ("sample_percent = 100", _failed(FailureReason.SPOOF), False, ()),
        ("sample_percent = 1e-9", _SUCCESS, False, ()),
        (
            "doubt = true\nsample_percent = 100.0",
            _SUCCESS,
            True,
            (ReviewCause.DOUBT, ReviewCause.SAMPLE),
        ),
    ],
)
async def test_the_policy_sends_a_check_to_review(
    policy: Any, table: str, outcome: CheckOutcome, doubted: bool, expected: tuple[ReviewCause, ...]
) -> None:
    assert await _causes(policy(table), outcome, doubted=doubted) == expected


async def test_the_last_of_a_persons_failures_is_reviewed(policy: Any) -> None:
    spoof, left = (FailureReason.SPOOF,), (FailureReason.ABANDONED,)
    three = policy("failures = 3\nfailures_days = 7")
    records = _Records(spoof, left, spoof)
    assert await _causes(three, _failed(*spoof), records=records) == (ReviewCause.REPEATED_FAILURES,)
    assert records.asked["since"] == OUTCOME.decide_time - timedelta(days=7)
    person, failed = records.asked["terms"]
    assert person == tuple(reference_term("subject", "subject-1", tenant_key=key) for key in _KEYS)
    assert failed == ("status_sandbox:FAILURE:no",)
    assert await _causes(three, _failed(*spoof), records=_Records(spoof, left, left)) == ()
    assert await _causes(three, _failed(*left), records=_Records(spoof, spoof, spoof)) == ()
    assert await _causes(three, _SUCCESS, records=_Records(spoof, spoof, spoof)) == ()


async def test_a_review_ends_before_the_images_are_erased(policy: Any) -> None:
    selection = ReviewSelection(records=_Records(), tenant_keys=lambda _: _KEYS)  # type: ignore[arg-type]
    for until, ends in ((timedelta(hours=5), timedelta(hours=5)), (timedelta(days=9), timedelta(hours=6))):
        review = await selection.begin(
            new_check(),
            _SUCCESS,
            policy=policy("sample_percent = 100\ndeadline_hours = 6\nclaim_minutes = 3\nfour_eyes = true"),
            doubted=False,
            until=OUTCOME.decide_time + until,
            result=b"result",
        )
        assert review is not None
        assert review.expire_time == OUTCOME.decide_time + ends
        assert (review.claim_seconds, review.four_eyes) == (180, True)


async def test_a_policy_without_the_table_reviews_nothing(tmp_path: Any) -> None:
    write_policy(tmp_path, "plain")
    plain = parse_policy((tmp_path / "plain.toml").read_bytes(), origin="a test").policy
    assert await _causes(plain, _SIGNED, doubted=True) == ()
