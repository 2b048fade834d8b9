"""The images that a result names."""

from server.checks.recorder import result_pictures
from server.domain.terms import AttemptOutcome
from server.storage.records import ImagePurpose
from tests.server.scan.records import attempt_record
from tests.server.storage.samples import entry

FRAME, AUDIT = ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE


def test_without_pictures_there_are_none() -> None:
    assert result_pictures((), (attempt_record(1, judgement=b"judged"),)) == ()
    assert result_pictures((), ()) == ()


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
    assert result_pictures(entries, attempts) == entries[:2]


def test_without_a_judgement_the_last_face_is_shown() -> None:
    entries = (entry("a", attempt=1), entry("c", attempt=2, kind=AUDIT), entry("d", attempt=2))
    attempts = (attempt_record(1), attempt_record(2), attempt_record(3))
    assert result_pictures(entries, attempts) == (entries[2], entries[1])
