"""Run-time findings never count for a device, and more findings never help."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.camera import Platform
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import (
    DECISIVE_NAMES,
    RAISED_NAMES,
    Demand,
    DemandTable,
    DeviceAssessment,
    Evidence,
    assess,
    decided_by,
    mark_decisive,
)
from device_integrity.runtime import (
    RUNTIME_FAILURES,
    RuntimeFinding,
    RuntimeKind,
    RuntimeReport,
    check_runtime,
)
from tests.device_integrity.policy.checks import DEFAULT_DEMANDS, attested, failed, observed
from tests.device_integrity.reports import findings, reports

_EVERYTHING = frozenset(RuntimeKind) - {RuntimeKind.OTHER}


def _found(*kinds: RuntimeKind) -> RuntimeReport:
    return RuntimeReport(findings=frozenset(RuntimeFinding(kind) for kind in kinds))


@pytest.mark.parametrize(
    ("kind", "name", "sign", "soft"),
    [
        (RuntimeKind.ROOT, "runtime.root", Manipulation.ROOTED, True),
        (RuntimeKind.HOOKING_FRAMEWORK, "runtime.hooking", Manipulation.FUNCTION_HOOKING, False),
        (RuntimeKind.DEBUGGER, "runtime.debugger", Manipulation.FUNCTION_HOOKING, False),
        (RuntimeKind.EMULATOR, "runtime.emulator", Manipulation.EMULATOR, True),
        (RuntimeKind.NETWORK_INTERCEPTION, "runtime.network", Manipulation.MAN_IN_THE_MIDDLE, True),
        (RuntimeKind.SCREEN_SHARING, "runtime.screen_sharing", Manipulation.REMOTE_CONTROL, True),
        (RuntimeKind.AUTOMATION, "runtime.automation", Manipulation.REMOTE_CONTROL, True),
        (RuntimeKind.OTHER, "runtime.other", None, True),
    ],
)
def test_each_kind_fails_a_check_of_its_own(
    kind: RuntimeKind, name: str, sign: Manipulation | None, soft: bool
) -> None:
    (check,) = (one for one in check_runtime(_found(kind)) if one.outcome is DeviceFinding.FAIL)
    assert (check.name, check.sign_of, check.soft) == (name, sign, soft)
    assert (name in DECISIVE_NAMES, name in RAISED_NAMES) == (not soft, soft)
    assert bool(decided_by(mark_decisive([check]))) is not soft
    raised = mark_decisive(check_runtime(_found(kind), decide={name}))
    assert decided_by(raised) == (name,)


def test_to_have_looked_and_found_nothing_is_not_to_have_not_looked() -> None:
    (silent,) = check_runtime(None)
    assert (silent.name, silent.reason) == ("runtime.report", "NO_REPORT")
    checks = check_runtime(RuntimeReport(looked_for=frozenset({RuntimeKind.ROOT})))
    reasons = {check.name: check.reason for check in checks}
    assert reasons.pop("runtime.root") == "NOTHING_FOUND"
    assert set(reasons.values()) == {"NOT_LOOKED_FOR"}
    assert set(RUNTIME_FAILURES) - set(reasons) == {"runtime.root", "runtime.other"}


def test_each_finding_is_named() -> None:
    found = RuntimeReport(
        findings=frozenset(
            RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, name) for name in ("frida", "", "a" * 64)
        )
    )
    (check,) = (one for one in check_runtime(found) if one.outcome is DeviceFinding.FAIL)
    assert f'"{"a" * 64}", "frida"' in check.detail


@given(reports(), st.frozensets(st.sampled_from(sorted(RAISED_NAMES))))
def test_no_report_passes_anything(report: RuntimeReport, decide: frozenset[str]) -> None:
    checks = check_runtime(report, decide=decide)
    assert not any(check.outcome is DeviceFinding.PASS for check in checks)
    assert len({check.name for check in checks}) == len(checks)
    assert all(len(check.detail) <= 500 for check in checks)


_DEVICES = (
    (),
    observed(),
    (*observed(), *attested("android_key")),
    (*observed(), *attested("play_integrity")),
    (*observed(), failed("device.emulator", Manipulation.EMULATOR, soft=True)),
    (*observed(), failed("contradiction.wording", Manipulation.EMULATOR, soft=True)),
    (*observed(), *attested("android_key"), failed("camera.name", Manipulation.VIRTUAL_CAMERA)),
)
_TABLES = (
    DEFAULT_DEMANDS,
    DemandTable({Platform.ANDROID: {}}),
    DemandTable({Platform.ANDROID: dict.fromkeys(Evidence, Demand.IGNORED)}),
)


@dataclass(frozen=True)
class _Policy:
    table: DemandTable = DEFAULT_DEMANDS
    decide: frozenset[str] = frozenset()
    tolerated: frozenset[str] = frozenset()

    def judge(self, device: tuple[DeviceTest, ...], report: RuntimeReport | None) -> DeviceAssessment:
        marked = mark_decisive(check_runtime(report, decide=self.decide), tolerated=self.tolerated)
        return assess(
            (*device, *marked),
            platform=Platform.ANDROID,
            demands=self.table,
            transcript_bound=True,
            active_challenge=True,
        )


_POLICIES = st.builds(
    _Policy,
    table=st.sampled_from(_TABLES),
    decide=st.frozensets(st.sampled_from(sorted(RAISED_NAMES))),
    tolerated=st.frozensets(st.sampled_from(sorted(RUNTIME_FAILURES))),
)


def _is_no_better(worse: DeviceAssessment, before: DeviceAssessment) -> None:
    assert worse.assurance.level <= before.assurance.level
    assert set(worse.unmet) >= set(before.unmet)
    assert set(decided_by(worse.checks)) >= set(decided_by(before.checks))
    strengths = {sign.of: sign.strength for sign in worse.signs}
    assert all(strengths.get(sign.of, 0.0) >= sign.strength for sign in before.signs)


@given(
    st.sampled_from(_DEVICES),
    st.none() | reports(),
    st.frozensets(findings(), min_size=1, max_size=4),
    _POLICIES,
)
def test_more_findings_never_improve_a_verdict(
    device: tuple[DeviceTest, ...],
    report: RuntimeReport | None,
    more: frozenset[RuntimeFinding],
    policy: _Policy,
) -> None:
    added = (report or RuntimeReport()).joined(RuntimeReport(findings=more))
    _is_no_better(policy.judge(device, added), policy.judge(device, report))


@given(st.sampled_from(_DEVICES), reports(), _POLICIES)
def test_a_report_is_never_better_than_none(
    device: tuple[DeviceTest, ...], report: RuntimeReport, policy: _Policy
) -> None:
    silent = policy.judge(device, None)
    _is_no_better(policy.judge(device, report), silent)
    clean = policy.judge(device, RuntimeReport(_EVERYTHING))
    assert (clean.assurance, clean.unmet, clean.signs) == (silent.assurance, silent.unmet, silent.signs)
