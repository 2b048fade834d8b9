from facegate.v1 import verification_service_pb2 as service_pb2

from cli.portrait_words import portrait_words


def requirement(code: str, passed: bool | None) -> service_pb2.PortraitRequirement:
    return service_pb2.PortraitRequirement(
        code=code, measured="1.0 deg", required="2 to 3 deg", passed=passed
    )


def test_a_portrait_without_a_fault() -> None:
    report = service_pb2.PortraitReport(
        eye_distance_px=95.4, requirements=[requirement("head_pose_yaw", True)]
    )
    assert portrait_words(report) == "Portrait accepted: eyes 95 pixels apart."


def test_only_what_was_missed_is_advice() -> None:
    report = service_pb2.PortraitReport(
        eye_distance_px=95.4,
        container="ISO/IEC 19794-5:2011",
        notes=["the record declares another size"],
        requirements=[
            requirement("head_pose_yaw", False),
            requirement("head_pose_roll", True),
            requirement("eyes_open", None),
        ],
    )
    assert portrait_words(report).splitlines() == [
        "Portrait accepted from ISO/IEC 19794-5:2011: eyes 95 pixels apart.",
        "  A better one would meet: head_pose_yaw 1.0 deg (2 to 3 deg).",
        "  Note: the record declares another size.",
    ]
