import pytest

from server.checks.recorder import result_images, server_fault
from server.domain.terms import AttemptOutcome, EndedBy
from server.storage.records import AttemptRecord, ImagePurpose
from server.verdict import FailureReason
from tests.server.scan.records import attempt_record
from tests.server.storage.samples import entry


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
