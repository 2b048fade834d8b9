from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from cli.words import evidence_words, portrait_words

_FRAME = result_pb2.EvidenceReference(sha256=b"e" * 32, attempt=1, frame_index=17)
_AUDIT = result_pb2.EvidenceReference(sha256=b"a" * 32, attempt=1, frame_index=3)


def requirement(code: str, passed: bool | None) -> service_pb2.PortraitRequirement:
    return service_pb2.PortraitRequirement(
        code=code, measured="1.0 deg", required="2 to 3 deg", passed=passed
    )


def test_a_good_portrait_has_no_advice() -> None:
    report = service_pb2.PortraitReport(
        eye_distance_px=95.4, requirements=[requirement("head_pose_yaw", True)]
    )
    assert portrait_words(report) == "Portrait accepted: eyes 95 pixels apart."


def test_only_missed_requirements_give_advice() -> None:
    report = service_pb2.PortraitReport(
        eye_distance_px=95.4,
        container="ISO/IEC 19794-5:2011",
        notes=["the record declares another size"],
        requirements=[
            requirement("head_pose_yaw", False),
            requirement("head_pose_roll", True),
            requirement("eyes_open", None),
            requirement("something_new", False),
        ],
    )
    assert portrait_words(report).splitlines() == [
        "Portrait accepted from ISO/IEC 19794-5:2011: eyes 95 pixels apart.",
        "  The head is turned to one side: look straight into the camera and retake the portrait. "
        "(head_pose_yaw: 1.0 deg, required: 2 to 3 deg)",
        "  A better image would meet this: (something_new: 1.0 deg, required: 2 to 3 deg)",
        "  Note: the record declares another size.",
    ]


def test_a_requirement_with_a_score_states_it_beside_the_measurement() -> None:
    missed = requirement("natural_colour", False)
    missed.score = 0
    report = service_pb2.PortraitReport(eye_distance_px=95.4, requirements=[missed])
    assert "1.0 deg, score 0 of 100, required:" in portrait_words(report)


def test_a_complete_portrait_gives_no_advice() -> None:
    assert evidence_words(service_pb2.FinishCheckResponse()) == ()


def test_each_problem_and_the_shortfall_have_a_line() -> None:
    response = service_pb2.FinishCheckResponse(
        result=result_pb2.CheckResult(evidence_frame=_FRAME, audit_images=[_AUDIT]),
        evidence_problems=[
            service_pb2.EvidenceProblem(picture=_FRAME, kind=service_pb2.EvidenceProblem.KIND_ALTERED),
            service_pb2.EvidenceProblem(picture=_AUDIT, kind=service_pb2.EvidenceProblem.KIND_LOST),
        ],
        audit_image_shortfall=service_pb2.AUDIT_IMAGE_SHORTFALL_PROBLEMS,
    )
    first, second, third = evidence_words(response)
    assert "evidence frame (frame 17 of attempt 1)" in first
    assert "altered" in first
    assert "audit image (frame 3 of attempt 1)" in second
    assert "lost" in second
    assert "0 audit images" in third


def test_a_later_servers_words_are_shown_without_a_meaning() -> None:
    response = service_pb2.FinishCheckResponse(
        evidence_problems=[service_pb2.EvidenceProblem(picture=_AUDIT, kind=99)],  # type: ignore[arg-type]
        audit_image_shortfall=99,  # type: ignore[arg-type]
    )
    assert len(evidence_words(response)) == 2
