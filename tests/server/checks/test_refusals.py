import pytest

from matcher.errors import RefusalReason, TrustedImageRefused
from server.base.errors import Reason
from server.checks.refusals import refusal_of
from server.edge.status import CODE_OF


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_refusal_of_the_matcher_has_a_reason_on_the_wire(reason: RefusalReason) -> None:
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
        (RefusalReason.IMAGE_TOO_SMALL, Reason.EYE_DISTANCE_TOO_SMALL),
    ],
)
def test_reasons_that_differ(reason: RefusalReason, on_the_wire: Reason) -> None:
    refusal = refusal_of(TrustedImageRefused(reason, "m", details={"required_faces": 1, "faces": 2}))
    assert refusal.reason is on_the_wire
    assert str(refusal) == "m"
    assert refusal.details == {"requiredFaces": 1, "faces": 2}


def test_a_record_of_no_face_is_one_without_a_face() -> None:
    details = {"representations": 0, "required_representations": 1}
    refusal = refusal_of(TrustedImageRefused(RefusalReason.RECORD_NOT_ONE_FACE, "m", details=details))
    assert refusal.reason is Reason.FACE_NOT_FOUND
    assert refusal.details == {"representations": 0, "requiredRepresentations": 1}
