import base64
import json
from typing import Any

import pytest
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2

from cli.try_.verdict import verdict_document
from tests.cli.demo.builders import CHECK_ID, JPEG, result


def document_of(answer: verification_service_pb2.FinishCheckResponse) -> dict[str, Any]:
    return verdict_document(
        answer, thresholds=(30.0, 70.0), verified=True, upload_seconds=0.2, finish_seconds=0.1
    )


def response(checked: result_pb2.CheckResult) -> verification_service_pb2.FinishCheckResponse:
    return verification_service_pb2.FinishCheckResponse(
        result=checked,
        result_jws="a.b.c",
        evidence_frame=result_pb2.EvidenceImage(
            image=JPEG, media_type="image/jpeg", rotation=scan_pb2.ROTATION_270, mirrored=True
        ),
    )


def test_a_success_states_its_numbers_and_lines() -> None:
    document = document_of(response(result(flashed=True)))
    json.dumps(document)
    assert (document["status"], document["check"]) == ("SUCCESS", CHECK_ID)
    assert document["reasons"] == [
        {"name": "", "text": "The scan shows the right person, a living person, now."}
    ]
    liveness = document["liveness"]
    assert (liveness["spoof_threshold"], liveness["live_threshold"]) == (30.0, 70.0)
    assert (liveness["verified_bits"], liveness["required_bits"]) == (13.1, 12.0)
    assert liveness["attack_type"] is None
    assert document["match"]["similarity"] == 78.0
    assert document["signature_verified"] is True


def test_signals_come_with_the_heaviest_first_and_without_invented_scores() -> None:
    signals = document_of(response(result()))["signals"]
    assert [(one["name"], one["score"]) for one in signals] == [("blink", 0.95), ("pad_network", None)]
    assert signals[0]["detail"] == "1 blink in 4.0 s."


def test_details_are_sentences() -> None:
    checked = result()
    checked.liveness.signals.add(name="moire", detail="no screen's pattern is visible")
    details = [one["detail"] for one in document_of(response(checked))["signals"]]
    assert details[0] == "1 blink in 4.0 s."
    assert details[-1] == "No screen's pattern is visible."
    checked.device.checks.add(name="web_crypto.format", detail="the evidence can be read")
    (test,) = document_of(response(checked))["device"]["tests"]
    assert test["detail"] == "The evidence can be read."


@pytest.mark.parametrize("decided", [True, False])
def test_signals_of_the_flash_have_no_weight_if_no_colour_was_decided(decided: bool) -> None:
    checked = result()
    del checked.liveness.signals[:]
    colours = {"score": 0.1} if decided else {}
    checked.liveness.signals.add(name="flash_colours", **colours)
    checked.liveness.signals.add(name="flash_freshness", score=0.9, weight=0.5, detail="fresh")
    checked.liveness.signals.add(name="pad_network", score=0.8, weight=0.3)
    checked.liveness.signals.add(name="micro_motion", score=0.7, weight=0.2)
    signals = document_of(response(checked))["signals"]
    weights = {one["name"]: one["weight"] for one in signals if one["weight"]}
    if decided:
        assert weights == pytest.approx({"flash_freshness": 0.5, "pad_network": 0.3, "micro_motion": 0.2})
    else:
        assert weights == pytest.approx({"pad_network": 0.6, "micro_motion": 0.4})
    (freshness,) = (one for one in signals if one["name"] == "flash_freshness")
    assert (freshness["score"], freshness["detail"] == "Fresh.") == (0.9, decided)


def test_the_colours_state_what_was_drawn_and_answered() -> None:
    colours = document_of(response(result(flashed=True)))["colours"]
    assert [(one["drawn"], one["agrees"]) for one in colours] == [(False, None), (True, True), (True, None)]
    assert colours[1]["colour"] == [255, 108, 108]


def test_a_failure_states_reasons_and_decisive_tests_in_words() -> None:
    checked = result(result_pb2.FAILURE_REASON_DEVICE_MANIPULATED, result_pb2.FAILURE_REASON_SPOOF)
    checked.device.checks.add(
        name="camera.name",
        outcome=result_pb2.DeviceCheck.OUTCOME_FAIL,
        detail="the camera is listed as virtual",
        decisive=True,
    )
    checked.device.checks.add(name="tolerated", detail="not this", decisive=True, tolerated=True)
    document = document_of(response(checked))
    assert [reason["name"] for reason in document["reasons"]] == ["DEVICE_MANIPULATED", "SPOOF"]
    assert document["reasons"][1]["text"] == "The scan is an attack, not a living person."
    assert "Device: the camera is listed as virtual." in document["explanations"]
    assert not any("not this" in text for text in document["explanations"])


def test_the_evidence_frame_keeps_its_bytes_and_states_how_it_lies() -> None:
    evidence = document_of(response(result()))["evidence"]
    assert base64.b64decode(evidence["image"].partition(",")[2]) == JPEG
    assert (evidence["rotation"], evidence["mirrored"]) == (270, True)


def test_a_check_without_an_attempt_has_neither_liveness_nor_match() -> None:
    checked = result_pb2.CheckResult(
        status=result_pb2.CHECK_STATUS_FAILURE, reasons=[result_pb2.FAILURE_REASON_CANCELLED]
    )
    answer = verification_service_pb2.FinishCheckResponse(result=checked)
    document = document_of(answer)
    assert (document["liveness"], document["match"], document["evidence"]) == (None, None, None)
    assert document["seconds"]["scan"] is None
