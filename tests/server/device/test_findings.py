"""Findings on evidence: storage and selection."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.check import Assurance, DeviceCheck, DeviceFinding, Manipulation
from device_integrity.policy import AttestedFacts
from device_integrity.runtime import RuntimeFinding, RuntimeKind, RuntimeReport
from server.device.evidence import (
    EvidenceFinding,
    counting_findings,
    finding_from_bytes,
    finding_to_bytes,
    joined_report,
)
from tests.device_integrity.reports import reports

_checks = st.builds(
    DeviceCheck,
    name=st.text(max_size=20),
    outcome=st.sampled_from(DeviceFinding),
    reason=st.text(max_size=20),
    detail=st.text(max_size=40),
    sign_of=st.sampled_from([None, *Manipulation]),
    soft=st.booleans(),
)
_findings = st.builds(
    EvidenceFinding,
    verifier=st.text(max_size=10),
    checks=st.lists(_checks, max_size=4).map(tuple),
    ceiling=st.sampled_from([None, *Assurance]),
    facts=st.builds(
        AttestedFacts, android_version=st.none() | st.integers(1, 99), app_id=st.none() | st.text()
    ),
    lasting_key=st.none() | st.binary(min_size=32, max_size=32),
    scan_key=st.none() | st.binary(min_size=32, max_size=32),
    report=st.none() | reports(),
)


@given(finding=_findings)
def test_a_finding_is_read_again_as_it_was(finding: EvidenceFinding) -> None:
    assert finding_from_bytes(finding_to_bytes(finding)) == finding


def test_reports_add_up_whatever_becomes_of_the_evidence_beside_them() -> None:
    frida, root = RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, "frida"), RuntimeFinding(RuntimeKind.ROOT)
    looked = frozenset({RuntimeKind.ROOT})
    findings = (
        EvidenceFinding(verifier="a", checks=(), report=RuntimeReport(findings=frozenset({frida}))),
        EvidenceFinding(verifier="a", checks=()),
        EvidenceFinding(verifier="a", checks=(), report=RuntimeReport(looked, frozenset({root}))),
        EvidenceFinding(verifier="a", checks=(), report=RuntimeReport(looked)),
    )
    assert joined_report(findings) == RuntimeReport(looked, frozenset({frida, root}))
    assert joined_report(findings[1:2]) is None


def _finding(verifier: str, outcome: DeviceFinding, *, soft: bool = False) -> EvidenceFinding:
    check = DeviceCheck(name=f"{verifier}.check", outcome=outcome, reason="R", detail="", soft=soft)
    return EvidenceFinding(verifier=verifier, checks=(check,))


@pytest.mark.parametrize(
    ("outcome", "soft", "stays"),
    [
        (DeviceFinding.PASS, False, False),
        (DeviceFinding.UNAVAILABLE, False, False),
        (DeviceFinding.FAIL, True, False),
        (DeviceFinding.FAIL, False, True),
    ],
)
def test_later_evidence_replaces_earlier_except_failures(
    outcome: DeviceFinding, soft: bool, stays: bool
) -> None:
    earlier = _finding("play_integrity", outcome, soft=soft)
    other = _finding("android_key", DeviceFinding.PASS)
    later = replace(_finding("play_integrity", DeviceFinding.PASS), ceiling=Assurance.LOW)
    found = counting_findings((earlier, other, later))
    assert found == ((earlier, other, later) if stays else (other, later))
