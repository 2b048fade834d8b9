"""What makes a run of the cluster fail."""

from dataclasses import replace

import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from simulator import ScanKind
from tests.cluster.devices import Device, Visit
from tests.cluster.run import problems_of
from tests.cluster.soak import Sample, growth

_PERSON = Device(kind="express", person="a", portrait_of="a")
_REPLAY = replace(_PERSON, scene=ScanKind.LOOPED_CLIP)
_IMPOSTOR = replace(_PERSON, portrait_of="b")
_STEADY = [Sample(checks=9, rss_mib=900, files=80, threads=40, temporary=3, rows_a_check=6.0)] * 40


def _visit(device: Device, status: str, *reasons: str) -> Visit:
    result = result_pb2.CheckResult(
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{status}"),
        reasons=[result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason}") for reason in reasons],
    )
    return Visit(device=device, phase="steady", response=service_pb2.FinishCheckResponse(result=result))


def _fails(visit: Visit, *, busy: bool = False) -> bool:
    return bool(list(problems_of(visit, busy=busy)))


@pytest.mark.parametrize("attacker", [_REPLAY, _IMPOSTOR])
def test_an_attacker_fails_and_never_succeeds(attacker: Device) -> None:
    assert _fails(_visit(attacker, "SUCCESS"))
    assert not _fails(_visit(attacker, "FAILURE", "SPOOF"))


def test_a_person_fails_only_if_the_device_left() -> None:
    assert not _fails(_visit(_PERSON, "SUCCESS"))
    assert not _fails(_visit(_PERSON, "NOT_DECIDED", "INTERRUPTED"))
    left = _visit(_PERSON, "FAILURE", "ABANDONED")
    assert _fails(left)
    left.left = "the line was lost"
    assert not _fails(left)
    assert _fails(_visit(_PERSON, "FAILURE", "SPOOF"), busy=True)


def test_a_busy_machine_explains_only_that_too_little_was_seen() -> None:
    unseen = _visit(_PERSON, "FAILURE", "CONDITIONS", "LIVENESS_INCONCLUSIVE")
    assert _fails(unseen)
    assert not _fails(unseen, busy=True)


def test_the_device_and_the_backend_are_told_the_same() -> None:
    visit = _visit(_PERSON, "NOT_DECIDED", "SERVER_FAULT")
    visit.told = scan_pb2.SCAN_STATUS_SUCCESS
    assert _fails(visit)


def test_a_soak_fails_by_what_grows_beyond_its_bound() -> None:
    assert not growth(_STEADY)
    grown = [replace(one, rss_mib=900 + 10 * number) for number, one in enumerate(_STEADY)]
    (problem,) = growth(grown)
    assert problem.startswith("rss_mib grew")
    assert growth([])
