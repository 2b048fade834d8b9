"""The short form of ``make cluster``: few devices, four faults; counts are compared, never times."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from lab.simulator import ScanKind
from tests.cluster.devices import Device, Visit, crowd
from tests.cluster.run import Plan, problems_of, run
from tests.cluster.soak import Sample, growth
from tests.deploy.edge import require_proxy


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_no_verdict_is_lost_while_parts_of_a_cluster_fail(tmp_path: Path) -> None:
    require_proxy("haproxy")
    plan = Plan(
        minutes=0.0,
        faults=("kill -9", "database restart", "S3 outage", "certificates"),
        away_s=4.0,
        scans=1,
        busy=True,
    )
    report = asyncio.run(run(plan, tmp_path, print))
    assert not report.problems, "\n".join(report.problems)
    assert {visit.device.kind for visit in report.visits} == {device.kind for device in crowd()}
    document = report.document()
    # More devices came than scans fit.
    assert document["refusals"]
    assert document["resumed"]
    verdicts = document["verdicts"]
    assert isinstance(verdicts, dict)
    assert verdicts["SUCCESS"]


# What makes a run of the cluster fail.

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
