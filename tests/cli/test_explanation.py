import pytest
from facegate.v1 import result_pb2, scan_pb2

from cli.explanation import because, device_tests, judgement, proof, speaking, weighed_signals
from tests.cli.demo.builders import CHECK_ID, result


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


def test_details_are_sentences() -> None:
    checked = result()
    checked.liveness.signals.add(name="moire", detail="no screen's pattern is visible")
    assert weighed_signals(checked.liveness.signals)[-1].detail == "No screen's pattern is visible."
    checked.device.checks.add(name="web_crypto.format", detail="the evidence can be read")
    ((*_, detail),) = device_tests(checked.device).rows
    assert detail == "The evidence can be read."


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
