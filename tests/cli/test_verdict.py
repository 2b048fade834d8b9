import io
import re
from dataclasses import replace

import pytest
from facegate.v1 import result_pb2, scan_pb2
from rich.console import Console

from cli.verdict import enum_word, enum_words, verdict_view
from lab.explanation import because, device_tests, judgement, proof, speaking, weighed_signals
from lab.tests.demo.builders import CHECK_ID, judged, result
from lab.tests.demo.test_page import render
from server.domain.terms import CheckStatus
from server.edge.result_codec import parse_result, serialise_result
from server.evidence.archive import Export
from server.evidence.report import report_page
from server.verdict.judge import CheckVerdict
from tests.server.verdict.samples import LATER, OUTCOME, RECORD


def _shown(result: result_pb2.CheckResult, *, width: int = 160, verbose: bool = True) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(
        verdict_view(result, signature="verified", more="" if verbose else "--verbose")
    )
    return stream.getvalue()


def _whole_result() -> result_pb2.CheckResult:
    """The longest result of a server: every signal, failed tests, tolerated tests, a challenge."""
    check, signal = result_pb2.DeviceCheck, result_pb2.Signal
    names = [f"camera.test_{number}" for number in range(27)]
    return result_pb2.CheckResult(
        check_id="61ba05ce-4aa0-4b0b-becf-247cab78c812",
        status=result_pb2.CHECK_STATUS_FAILURE,
        sandbox=True,
        reasons=[result_pb2.FAILURE_REASON_SPOOF, result_pb2.FAILURE_REASON_NOT_SAME_PERSON],
        liveness=result_pb2.LivenessResult(
            verdict=result_pb2.LIVENESS_VERDICT_SPOOF,
            confidence=3.25,
            attack_type=result_pb2.ATTACK_TYPE_PRINT,
            attack_type_confidence=71,
            used_mode=scan_pb2.MODE_EXPRESS,
            required_bits=8,
            explanations=[f"Explanation {number} of what was measured." for number in range(6)],
            signals=[
                signal(name="planar_motion", label="Planar motion", score=0.04, passed=False),
                signal(name="blink", detail="No eyes were seen."),
                *(signal(name=f"signal_{number}", score=0.1) for number in range(16)),
            ],
        ),
        match=result_pb2.MatchResult(
            similarity=12.5, fmr_bound=0.3, scan_fmr_bound=0.4, required_similarity=80, required_fmr=0.01
        ),
        device=result_pb2.DeviceResult(
            assurance=result_pb2.DEVICE_ASSURANCE_NONE,
            required_assurance=result_pb2.DEVICE_ASSURANCE_LOW,
            checks=[
                *(check(name=name, outcome=check.OUTCOME_FAIL) for name in names[:4]),
                *(check(name=name, outcome=check.OUTCOME_PASS) for name in names[4:]),
                check(name="platform_attestation", outcome=check.OUTCOME_UNAVAILABLE, reason="R"),
            ],
            signals=[signal(name="virtual_camera", score=0.5)],
            tolerated_checks=names[:4],
        ),
        transcript=result_pb2.TranscriptResult(
            intact=True, frames=32, frames_examined=21, dropped=2, streams=1
        ),
        attempts=[result_pb2.AttemptSummary(outcome=result_pb2.AttemptSummary.OUTCOME_DECIDED)],
        policy=result_pb2.PolicyReference(name="standard", version=3),
        pack=result_pb2.PackReference(
            name="embedded",
            version="1",
            evaluation_only=True,
            calibration=result_pb2.CalibrationReference(
                provenance=result_pb2.CalibrationReference.PROVENANCE_MEASURED_BY_OPERATOR
            ),
        ),
    )


def test_everything_of_a_verdict_is_shown() -> None:
    result = _whole_result()
    shown = _shown(result)
    for word in (
        "FAILURE",
        "calibration measured by operator",
        "SPOOF, NOT_SAME_PERSON",
        "confidence 3.2 of 100",
        "EXPRESS",
        "looks like PRINT (71 of 100)",
        "Explanation 5",
        "similarity 12.5 of 100: at most 1 in 2 other people reach it with a scan; needs 80.0",
        "assurance NONE (needs LOW); not attested",
        "intact, 32 frames received, 21 examined, 2 dropped, 1 stream",
        "decided",
        "standard version 3",
        "evaluation only",
        "verified",
        result.check_id,
        "Planar motion",
        "0.04",
        "No eyes were seen.",
        "platform_attestation",
        "UNAVAILABLE",
        "virtual_camera",
    ):
        assert word in shown, word


def test_a_check_without_a_scan_is_shown_as_such() -> None:
    result = result_pb2.CheckResult(
        status=result_pb2.CHECK_STATUS_FAILURE, reasons=[result_pb2.FAILURE_REASON_EXPIRED]
    )
    shown = _shown(result)
    for word in ("EXPIRED", "not judged", "not compared", "none"):
        assert word in shown


def test_a_check_undecided_after_a_fault_shows_no_finding_on_the_person() -> None:
    shown = _shown(
        result_pb2.CheckResult(
            status=result_pb2.CHECK_STATUS_NOT_DECIDED, reasons=[result_pb2.FAILURE_REASON_SERVER_FAULT]
        )
    )
    assert shown.count("not judged") == 2
    assert "no usable face" not in shown


def test_decisive_and_tolerated_tests_are_marked() -> None:
    fail = result_pb2.DeviceCheck.OUTCOME_FAIL
    checks = [
        result_pb2.DeviceCheck(name="camera.name", outcome=fail, decisive=True),
        result_pb2.DeviceCheck(name="memory.frames", outcome=fail, decisive=True, tolerated=True),
        result_pb2.DeviceCheck(name="stream.noise", outcome=fail),
    ]
    shown = _shown(result_pb2.CheckResult(device=result_pb2.DeviceResult(checks=checks)))
    outcomes = {line.split()[1]: line for line in shown.splitlines() if "FAIL " in line and "." in line}
    assert "FAIL (decides)" in outcomes["camera.name"]
    assert "FAIL (tolerated)" in outcomes["memory.frames"]
    assert "FAIL (" not in outcomes["stream.noise"]


def test_words_of_the_server_are_no_markup() -> None:
    result = result_pb2.CheckResult(check_id="[red]no[/red] [link=x]y")
    assert "[red]no[/red] [link=x]y" in _shown(result)


def test_values_of_later_versions_are_shown_as_numbers() -> None:
    result = result_pb2.CheckResult()
    result.MergeFromString(b"\x20\xe7\x07")  # reasons: 999
    assert enum_words(result, "reasons") == ("999",)
    assert enum_word(result_pb2.CheckResult(status=result_pb2.CHECK_STATUS_SUCCESS), "status") == "SUCCESS"


def test_waivers_are_shown_whether_the_checks_failed_or_not() -> None:
    result = result_pb2.CheckResult(
        status=result_pb2.CHECK_STATUS_SUCCESS,
        device=result_pb2.DeviceResult(tolerated_checks=["camera.name", "memory.frames"]),
    )
    assert "Waived by the policy: camera.name, memory.frames" in _shown(result)
    result.sandbox = True
    assert "Waived by the policy or the sandbox: camera.name, memory.frames" in _shown(result)
    result.device.ClearField("tolerated_checks")
    assert "aived" not in _shown(result)


def test_the_short_view_fits_a_screen_and_names_the_failed_tests() -> None:
    result = _whole_result()
    result.ClearField("pack")
    shown = _shown(result, width=80, verbose=False)
    assert len(shown.splitlines()) <= 24
    for word in (
        "SPOOF, NOT_SAME_PERSON",
        "camera.test_3",
        "Explanation 2",
        "18 liveness signals and 28 device",
    ):
        assert word in shown, word
    assert "camera.test_4" not in shown
    assert "planar_motion" not in shown


def test_the_short_view_states_what_decided_against_the_device() -> None:
    result, found = _whole_result(), "12 frames have the same bytes as frames of an earlier check."
    failed = result.device.checks[2]
    failed.detail = found
    assert found not in _shown(result, verbose=False)
    failed.decisive = True
    assert found in _shown(result, verbose=False)
    failed.tolerated = True
    assert found not in _shown(result, verbose=False)


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (result_pb2.PackReference(name="embedded", evaluation_only=True), "for evaluation only"),
        (result_pb2.PackReference(name="open", missing_pad_networks=["minifasnet_v2"]), "minifasnet_v2"),
        (result_pb2.PackReference(name="open"), ""),
    ],
)
def test_the_short_view_names_a_pack_that_is_weak(pack: result_pb2.PackReference, words: str) -> None:
    result = _whole_result()
    result.pack.CopyFrom(pack)
    shown = _shown(result, width=80, verbose=False)
    assert ("pack " in shown) is bool(words)
    assert words in shown
    assert len(shown.splitlines()) <= 25


def test_a_signal_of_half_is_neutral() -> None:
    signals = [
        result_pb2.Signal(name="depth", score=0.5, weight=0.13, passed=True),
        result_pb2.Signal(name="motion", score=0.51, weight=0.13, passed=True),
    ]
    lines = _shown(result_pb2.CheckResult(liveness=result_pb2.LivenessResult(signals=signals))).splitlines()
    assert [line for line in lines if "neutral" in line] == [line for line in lines if "depth" in line]
    assert "yes" in next(line for line in lines if "motion" in line)


def test_every_page_says_the_same_of_a_match_and_no_more_than_the_scans_support() -> None:
    assert OUTCOME.match is not None
    match = replace(OUTCOME.match, similarity=96.2787, fmr_bound=1e-5, scan_fmr_bound=0.00144)
    outcome = replace(OUTCOME, verdict=CheckVerdict(CheckStatus.SUCCESS, ()), match=match, required_fmr=1e-4)
    result = parse_result(serialise_result(outcome))
    sentence = (
        "96.3 of 100, the highest that the calibration supports: "
        "at most 1 in 694 other people reach it with a scan"
    )
    export = Export(exported_by="auditor", purpose="case", time=LATER, finish_time=None, holds=())
    pages = {
        "checks show": " ".join(_shown(result, width=300).split()),
        "report.html": report_page(replace(RECORD, outcome=outcome), images=(), result={}, export=export),
        "demo and try": render((judged("same-person", result),)),
    }
    for name, shown in pages.items():
        assert sentence in shown, name
        assert len(re.findall(r"1 in [0-9,]+", shown)) == 1, name
        assert "100,000" not in shown, name


@pytest.mark.parametrize("verbose", [True, False])
def test_the_policys_identifier_and_the_end_of_an_sdk_are_shown(verbose: bool) -> None:
    result = result_pb2.CheckResult(
        status=result_pb2.CHECK_STATUS_SUCCESS,
        policy=result_pb2.PolicyReference(name="ours", version=3),
        device=result_pb2.DeviceResult(sdk_version="facegate-web 1.2"),
    )
    shown = _shown(result, verbose=verbose)
    assert "OID" not in shown
    assert "SDK" not in shown
    result.policy.oid = "1.3.6.1.4.1.32473.1"
    result.device.sdk_supported_until = "2027-03-31"
    shown = _shown(result, verbose=verbose)
    assert "ours version 3, OID 1.3.6.1.4.1.32473.1" in shown
    assert "facegate-web 1.2 is supported until 2027-03-31; update the app" in shown


def test_the_measurements_state_their_lines() -> None:
    confidence, similarity, bits = judgement(result(flashed=True), (30.0, 70.0)).measures
    assert (confidence.value, confidence.tone) == ("97.0, LIVE", "good")
    assert confidence.detail == "SPOOF up to 30, LIVE from 70, INCONCLUSIVE between. Mode: DYNAMIC."
    assert [place for place, _ in confidence.marks] == [30.0, 70.0]
    assert (similarity.value, similarity.marks) == ("78.0", ((70.0, "needed"),))
    assert (bits.value, bits.spoken) == ("13.1", "13.1 bits, 12 are needed")


def test_a_check_without_an_attempt_has_no_measurements() -> None:
    empty = judgement(result_pb2.CheckResult(), (30.0, 70.0))
    assert (empty.measures, empty.signals_title, empty.more_title) == ([], "", "")
    assert ("Attempts", "none") in proof(result_pb2.CheckResult(), verified=False)


def test_signals_come_with_the_heaviest_first_and_without_invented_scores() -> None:
    judged = judgement(result(), (30.0, 70.0))
    assert [one.name for one in judged.signals] == ["blink"]
    (network,) = judged.more
    assert isinstance(network, result_pb2.Signal)
    assert (network.name, network.HasField("score")) == ("pad_network", False)
    assert judged.more_title == "1 signal without a weight"


@pytest.mark.parametrize("decided", [True, False])
def test_signals_of_the_flash_have_no_weight_if_no_colour_was_decided(decided: bool) -> None:
    checked = result()
    del checked.liveness.signals[:]
    colours = {"score": 0.1} if decided else {}
    checked.liveness.signals.add(name="flash_colours", **colours)
    checked.liveness.signals.add(name="flash_freshness", score=0.9, weight=0.5, detail="fresh")
    checked.liveness.signals.add(name="pad_network", score=0.8, weight=0.3)
    checked.liveness.signals.add(name="micro_motion", score=0.7, weight=0.2)
    signals = weighed_signals(checked.liveness.signals)
    weights = {one.name: one.weight for one in signals if one.weight}
    if decided:
        assert weights == pytest.approx({"flash_freshness": 0.5, "pad_network": 0.3, "micro_motion": 0.2})
    else:
        assert weights == pytest.approx({"pad_network": 0.6, "micro_motion": 0.4})
    (freshness,) = (one for one in signals if one.name == "flash_freshness")
    assert freshness.score == pytest.approx(0.9)
    assert (freshness.detail == "Fresh.") is decided
    assert checked.liveness.signals[1].weight == 0.5


def test_the_signals_against_life_come_with_the_strongest_first() -> None:
    signals = result_pb2.LivenessResult().signals
    for name, score, weight in (
        ("weak", 0.4, 0.3),
        ("for", 0.9, 0.5),
        ("strong", 0.0, 0.2),
        ("idle", 0.0, 0.0),
    ):
        signals.add(name=name, score=score, weight=weight)
    signals.add(name="not_assessed", weight=0.4)
    assert [one.name for one in speaking(signals)] == ["strong", "weak"]


def test_only_failed_tests_that_decided_or_were_demanded_are_causes() -> None:
    checked = result(result_pb2.FAILURE_REASON_DEVICE_MANIPULATED)
    failed = result_pb2.DeviceCheck.OUTCOME_FAIL
    checked.device.checks.add(
        name="camera.name", outcome=failed, detail="the camera is listed as virtual", decisive=True
    )
    checked.device.checks.add(name="x", outcome=failed, detail="not this", decisive=True, tolerated=True)
    checked.device.checks.add(name="android_key.boot", outcome=failed, detail="it is unlocked")
    camera, *others = because(checked)
    assert camera == "Device: the camera is listed as virtual."
    assert others == ["The scan shows signs of a living face."]
    assert "Device: it is unlocked." in because(checked, demanded=("android_key.",))


def test_failed_tests_of_the_device_come_first() -> None:
    device = result().device
    device.checks.add(name="passed", outcome=result_pb2.DeviceCheck.OUTCOME_PASS)
    device.checks.add(
        name="failed", outcome=result_pb2.DeviceCheck.OUTCOME_FAIL, decisive=True, tolerated=True
    )
    tests = device_tests(device)
    assert tests.title.startswith("2 tests of the device: assurance ")
    assert [row[:3] for row in tests.rows] == [
        ("failed", "FAIL", "tolerated"),
        ("passed", "PASS", "-"),
    ]


def test_the_proof_states_attempts_signature_and_check() -> None:
    checked = result()
    checked.attempts[0].frames = 61
    checked.attempts[0].end_time.FromMilliseconds(4100)
    checked.attempts[0].outcome = result_pb2.AttemptSummary.OUTCOME_RETRY
    decided = result_pb2.AttemptSummary.OUTCOME_DECIDED
    checked.attempts.add(frames=1, outcome=decided, plan=scan_pb2.PLAN_FLASH)
    facts = dict(proof(checked, verified=False))
    assert facts["Attempts"] == "61 frames in 4.1 s, retry; FLASH, 1 frame, decided"
    assert facts["Signature (JWS, ES256)"] == "NOT VERIFIED"
    assert (facts["Check"], facts["SHA-256 of the policy"]) == (CHECK_ID, bytes(32).hex())
    assert "Sandbox" not in facts
