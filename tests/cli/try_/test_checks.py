import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2

from cli.errors import CommandError
from cli.try_.checks import (
    TrustedImage,
    accepted_document,
    as_record,
    offered_modes,
    refused_document,
    verdict_document,
    write_trial_policy,
)
from facegate_client import ServerError
from matcher.records import Representations, open_trusted_image
from server.policies import load_policies
from simulator.photo import builtin_image
from tests.cli.demo.builders import JPEG, PACK, result
from tests.packs import real_pack
from tests.server.pages.reading import Page
from vision.image import encode_jpeg


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    write_trial_policy(tmp_path)
    return tmp_path


def test_a_pack_for_evaluation_gets_policies_for_trials(folder: Path) -> None:
    modes = offered_modes(real_pack(), folder=folder)
    assert [(mode.policy, mode.wanted, mode.shortfall) for mode in modes] == [
        ("evaluation", scan_pb2.MODE_UNSPECIFIED, ""),
        ("evaluation-colours", scan_pb2.MODE_UNSPECIFIED, ""),
        ("evaluation", scan_pb2.MODE_DYNAMIC, ""),
    ]


def test_a_mode_that_the_pack_cannot_serve_states_why(folder: Path) -> None:
    _, _, dynamic = offered_modes(replace(real_pack(), landmarker=None), folder=folder)
    assert "it demands a blink" in dynamic.shortfall
    express, colours, _ = offered_modes(replace(PACK, evaluation_only=False), folder=folder)
    assert (express.policy, colours.policy) == ("standard", "adaptive")
    assert express.shortfall


def test_the_policy_for_trials_may_be_declined(folder: Path) -> None:
    policy = load_policies(folder).get("evaluation-colours").policy
    assert (policy.mode.value, policy.match.max_fmr) == ("EXPRESS", 1e-2)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        write_trial_policy(tmp_path / "missing")


def _photo() -> bytes:
    return encode_jpeg(builtin_image("astronaut"), quality=90)


def test_a_picture_becomes_a_record_with_the_places_of_the_eyes() -> None:
    photo = _photo()
    made = as_record(photo, real_pack())
    content = open_trusted_image(made.data, representations=Representations.FIRST, max_bytes=2_000_000)
    assert content.image == photo
    assert content.representation is not None
    assert len(content.representation.landmarks) == 2
    assert any("kept byte for byte" in note for note in made.notes)


def test_a_record_stays_as_it_is() -> None:
    record = as_record(_photo(), real_pack()).data
    assert as_record(record, real_pack()) == TrustedImage(record)


def test_what_cannot_be_converted_is_left_to_the_server() -> None:
    wide = encode_jpeg(builtin_image("astronaut")[:50], quality=90)
    assert as_record(b"no picture", real_pack()) == TrustedImage(b"no picture")
    assert as_record(wide, real_pack()) == TrustedImage(wide)


def test_findings_have_remedies() -> None:
    report = verification_service_pb2.PortraitReport(
        container="ISO/IEC 19794-5:2011",
        eye_distance_px=100.0,
        requirements=[
            verification_service_pb2.PortraitRequirement(
                code="single_face_present", measured="1", required="1", passed=True
            ),
            verification_service_pb2.PortraitRequirement(
                code="eyes_open",
                measured="0.1 eyes to chin",
                score=3,
                required="score at least 50",
                passed=False,
            ),
            verification_service_pb2.PortraitRequirement(code="no_head_coverings"),
        ],
        notes=["the record states another width"],
    )
    document = accepted_document(report, TrustedImage(b"", ("The picture is kept.",)), key="k")
    assert (document["met"], document["assessed"]) == (1, 2)
    assert [finding["code"] for finding in document["findings"]] == ["eyes_open"]
    (finding,) = document["findings"]
    assert finding["measured"] == "0.1 eyes to chin, score 3 of 100"
    assert finding["required"] == "score at least 50"
    assert finding["remedy"]
    assert document["notes"] == ["The picture is kept.", "the record states another width."]


def test_a_refusal_states_what_to_do() -> None:
    document = refused_document(
        ServerError(
            code="INVALID_ARGUMENT",
            reason="EYE_DISTANCE_TOO_SMALL",
            message="the eyes are 60 pixels apart",
            metadata={"eyeDistancePx": "60"},
        )
    )
    assert document["message"] == "The eyes are 60 pixels apart."
    assert document["remedy"].startswith("Ask for a larger picture")
    assert document["details"] == {"eyeDistancePx": "60"}


def _document(checked: result_pb2.CheckResult, **more: Any) -> dict[str, Any]:
    return verdict_document(
        verification_service_pb2.FinishCheckResponse(result=checked, result_jws="a.b.c", **more),
        thresholds=(30.0, 70.0),
        verified=True,
        upload_seconds=0.2,
        finish_seconds=0.1,
    )


def test_a_verdict_is_explained_by_the_shared_templates() -> None:
    evidence = result_pb2.EvidenceImage(
        image=JPEG, media_type="image/jpeg", rotation=scan_pb2.ROTATION_270, mirrored=True
    )
    document = _document(result(flashed=True), evidence_frame=evidence)
    json.dumps(document)
    assert (document["status"], document["reasons"]) == ("SUCCESS", ())
    assert document["sentences"] == ["The scan shows the right person, a living person, now."]
    page = Page(document["explained"])
    assert (page.open, page.pictures, page.without_words) == ([], 1, [])
    # The Content-Security-Policy of the page allows neither.
    assert not {"style", "onclick"} & page.attributes
    assert not {"script", "style"} & set(page.tags)
    assert f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}" in page.source
    assert 'class="turn-270 mirrored"' in page.source
    for text in ("Similarity to the portrait", "SPOOF up to 30, LIVE from 70", "The scan shows signs"):
        assert text in page.text
    assert "of 2 that were drawn at random the face answered 1" in page.text
    assert "0.20 s" in page.text


def test_a_failure_states_its_reasons_in_words() -> None:
    reasons = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED, result_pb2.FAILURE_REASON_SPOOF
    document = _document(result(*reasons, detail="<b>"))
    assert document["reasons"] == ("DEVICE_MANIPULATED", "SPOOF")
    assert document["sentences"][1] == "The scan is an attack, not a living person."
    assert "<b>" in Page(document["explained"]).text


def test_a_verdict_without_a_scan_says_so() -> None:
    cancelled = result_pb2.CheckResult(
        status=result_pb2.CHECK_STATUS_FAILURE, reasons=[result_pb2.FAILURE_REASON_CANCELLED]
    )
    page = Page(_document(cancelled)["explained"])
    assert "No face was captured, so there is no evidence frame." in page.text
    assert "no frame came" in page.text
