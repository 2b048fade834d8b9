import pytest
from facegate.v1 import result_pb2

from cli.demo.record import Timings
from cli.demo.scenarios import Status
from tests.cli.demo.builders import all_as_expected, judged, refused, result


def test_a_whole_demo_as_expected() -> None:
    flags = [record.as_expected for record in all_as_expected()]
    assert flags == [True] * 6 + [None] + [True] * 14


def test_another_outcome_is_not_as_expected() -> None:
    assert judged("same-person", result(result_pb2.FAILURE_REASON_SPOOF)).as_expected is False
    assert judged("static-photo").as_expected is False
    assert refused("FACE_NOT_FOUND").as_expected is False


@pytest.mark.parametrize("key", ["same-person", "screen-replay"])
def test_an_unverified_signature_is_never_as_expected(key: str) -> None:
    assert judged(key, signature_verified=False).as_expected is False


def test_a_refusal_has_its_own_status_and_reason() -> None:
    record = refused("EYE_DISTANCE_TOO_SMALL")
    assert (record.status, record.reasons, record.result) == (
        Status.REFUSED,
        ("EYE_DISTANCE_TOO_SMALL",),
        None,
    )


def test_an_undecided_check_is_no_failure() -> None:
    undecided = result(result_pb2.FAILURE_REASON_SERVER_FAULT)
    undecided.status = result_pb2.CHECK_STATUS_NOT_DECIDED
    record = judged("static-photo", undecided)
    assert (record.status, record.reasons) == (Status.NOT_DECIDED, ("SERVER_FAULT",))
    assert not record.as_expected


def test_only_an_attack_can_pass_as_one() -> None:
    assert judged("screen-replay").attack_passed
    assert judged("static-photo").attack_passed
    assert not judged("same-person").attack_passed
    assert not judged("static-photo", result(result_pb2.FAILURE_REASON_SPOOF)).attack_passed


def test_times_add_up() -> None:
    assert Timings(upload=1.0, capture=4.0, decision=0.5, finish=0.25).total == 5.75
