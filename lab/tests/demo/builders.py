"""Records of checks as a server would answer them, without a server."""

from dataclasses import replace

import numpy as np
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2

from facegate_client import ServerError
from lab.demo.flash import FlashCurves, FlashStrip, StripColumn
from lab.demo.scenarios import SCENARIOS, DemoRecord, Scenario, Timings
from lab.tests.evaluation.samples import burning_pack
from vision.image import encode_jpeg
from vision.packs import MatchCalibration
from vision.packs.calibration import CalibrationRecord, ScorePoint
from vision.packs.pack import LicenceTerms

CHECK_ID = "7d3c2a8e-5f5b-4a52-9d0c-2f2b8a6e1c11"
JPEG = b"\xff\xd8\xff\xe0 not really a picture \xff\xd9"

_TIMES = Timings(upload=0.2, capture=4.1, decision=0.3, finish=0.1)


CALIBRATION = MatchCalibration(
    points=(
        ScorePoint(cosine=0.5, fmr_upper_bound=0.1, fnmr=0.01),
        ScorePoint(cosine=0.6, fmr_upper_bound=0.01, fnmr=0.123),
        ScorePoint(cosine=0.7, fmr_upper_bound=0.002, fnmr=0.5),
    ),
    record=CalibrationRecord(
        provenance="measured",
        dataset="photos of <nobody>",
        identities=89,
        genuine_pairs=1974,
        impostor_pairs=82555,
        command="measure",
        note="Measured & noted.",
    ),
    embedder_sha256="0" * 64,
)
PACK = replace(
    burning_pack(landmarks=False),
    name="embedded",
    version="0123456789ab",
    terms=(LicenceTerms(part="weights <of> dlib", weights="CC0.", training_data="Unknown."),),
    pad_networks=(),
    match_calibration=CALIBRATION,
)


FLASH_SIGNALS = (
    result_pb2.Signal(name="flash_colours", label="Colours of the answer", score=0.92, weight=0.3),
    result_pb2.Signal(name="flash_glare", label="Light all over the face, not mirrored in glass", weight=0.0),
)
STEPS = (
    result_pb2.ChallengeStep(step=3, color=scan_pb2.Rgb(red=199, green=199, blue=199)),
    result_pb2.ChallengeStep(
        step=4,
        color=scan_pb2.Rgb(red=255, green=108, blue=108),
        drawn_bits=4.0,
        signal_to_noise=9.4,
        agrees=True,
    ),
    result_pb2.ChallengeStep(
        step=5, color=scan_pb2.Rgb(red=108, green=108, blue=255), drawn_bits=3.8, signal_to_noise=1.2
    ),
)
"""The server's findings on a flash: a known grey, a colour that was answered, and one not measurable."""


def strip(*, curves: bool = True) -> FlashStrip:
    """A flash of three colours, with curves, or with too little light for them."""
    times = np.arange(40) / 20 + 10.0
    light = np.sin(times)[:, None] * np.array([0.05, 0.1, 0.2])
    columns = [
        StripColumn(
            number=step.step,
            colour=(step.color.red, step.color.green, step.color.blue),
            scrolls=step.step == 5,
            since=10.0 + 0.6 * place,
            until=10.6 + 0.6 * place,
            crop=None if step.step == 5 else encode_jpeg(np.full((180, 150, 3), 90, np.uint8), quality=80),
            proves=step.drawn_bits > 0,
            agrees=step.agrees if step.HasField("agrees") else None,
            signal_to_noise=step.signal_to_noise if step.HasField("signal_to_noise") else None,
        )
        for place, step in enumerate(STEPS)
    ]
    drawn = FlashCurves(times=times, face=light, background=light / 4, expected=light * 0.9)
    return FlashStrip(columns=tuple(columns), curves=drawn if curves else None)


def scenario(key: str) -> Scenario:
    """The demo's scenario of that key."""
    return next(found for found in SCENARIOS if found.key == key)


def result(
    *reasons: result_pb2.FailureReason.ValueType,
    confidence: float = 97.0,
    similarity: float = 78.0,
    detail: str = "1 blink in 4.0 s.",
    flashed: bool = False,
) -> result_pb2.CheckResult:
    """A result: SUCCESS without reasons; ``flashed`` in DYNAMIC."""
    success = not reasons
    return result_pb2.CheckResult(
        check_id=CHECK_ID,
        status=result_pb2.CHECK_STATUS_SUCCESS if success else result_pb2.CHECK_STATUS_FAILURE,
        reasons=reasons,
        liveness=result_pb2.LivenessResult(
            verdict=result_pb2.LIVENESS_VERDICT_LIVE,
            confidence=confidence,
            attack_type=result_pb2.ATTACK_TYPE_REAL,
            used_mode=scan_pb2.MODE_DYNAMIC if flashed else scan_pb2.MODE_EXPRESS,
            verified_bits=13.1 if flashed else 0.0,
            required_bits=12.0 if flashed else 0.0,
            challenge_steps=STEPS if flashed else (),
            signals=[
                *(FLASH_SIGNALS if flashed else ()),
                result_pb2.Signal(name="pad_network", label="Looks real to the network", weight=0.0),
                result_pb2.Signal(
                    name="blink", label="Blinks", score=0.95, weight=0.6, passed=True, detail=detail
                ),
            ],
            explanations=["The scan shows signs of a living face."],
        ),
        match=result_pb2.MatchResult(
            same_person=similarity >= 70,
            similarity=similarity,
            fmr_bound=0.0016,
            required_similarity=70.0,
            required_fmr=0.01,
            frames_used=8,
        ),
        transcript=result_pb2.TranscriptResult(intact=True, frames=61, streams=1),
        attempts=[result_pb2.AttemptSummary(attempt=1, outcome=result_pb2.AttemptSummary.OUTCOME_DECIDED)],
        policy=result_pb2.PolicyReference(name="standard", version=1, sha256=bytes(32)),
        evidence_frame=result_pb2.EvidenceReference(sha256=bytes(range(32)), attempt=1),
    )


def judged(
    key: str, verdict: result_pb2.CheckResult | None = None, *, signature_verified: bool = True
) -> DemoRecord:
    """A check that was scanned and judged."""
    flashes = scenario(key).flashes
    return DemoRecord(
        scenario=scenario(key),
        portrait=JPEG,
        strip=() if flashes else (JPEG, JPEG),
        flash=strip() if flashes else None,
        hints=(1,),
        timings=_TIMES,
        response=verification_service_pb2.FinishCheckResponse(
            result=verdict or result(flashed=flashes),
            result_jws="header.payload.signature",
            evidence_frame=result_pb2.EvidenceImage(image=JPEG, media_type="image/jpeg"),
        ),
        signature_verified=signature_verified,
    )


def refused(reason: str, message: str = "the eyes are 60 pixels apart") -> DemoRecord:
    """A check with a refused portrait."""
    return DemoRecord(
        scenario=scenario("eyes-too-close"),
        portrait=JPEG,
        timings=Timings(upload=0.05),
        refusal=ServerError(code="INVALID_ARGUMENT", reason=reason, message=message),
    )


def all_as_expected() -> tuple[DemoRecord, ...]:
    """The whole demo with the expected results; the scans that may pass do."""
    spoof = result(result_pb2.FAILURE_REASON_SPOOF, confidence=2.0)
    unlit = result(result_pb2.FAILURE_REASON_SPOOF, confidence=2.0, flashed=True)
    undecided = result(
        result_pb2.FAILURE_REASON_ABANDONED, result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE, flashed=True
    )
    manipulated, untrusted = (
        result_pb2.FAILURE_REASON_DEVICE_MANIPULATED,
        result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED,
    )
    relayed = result(untrusted)
    repackaged, relit = result(manipulated, untrusted), result(manipulated, untrusted, flashed=True)
    for one in (relayed, repackaged, relit):
        one.device.checks.append(
            result_pb2.DeviceCheck(
                name="android_key.application",
                outcome=result_pb2.DeviceCheck.OUTCOME_FAIL,
                reason="APPLICATION_REPACKAGED",
                detail="it was <repackaged>",
            )
        )
    virtual = result(manipulated)
    virtual.device.checks.append(
        result_pb2.DeviceCheck(
            name="camera.name",
            outcome=result_pb2.DeviceCheck.OUTCOME_FAIL,
            reason="KNOWN_VIRTUAL_CAMERA",
            detail="the camera is a listed one",
            decisive=True,
        )
    )
    return (
        judged("same-person"),
        judged("another-person", result(result_pb2.FAILURE_REASON_NOT_SAME_PERSON, similarity=0.0)),
        judged("static-photo", spoof),
        judged("waved-photo", spoof),
        judged("frozen-frame", spoof),
        refused("EYE_DISTANCE_TOO_SMALL"),
        judged("screen-replay"),
        judged("virtual-camera", virtual),
        judged("doubt"),
        judged("flash-same-person"),
        judged("flash-print", unlit),
        judged("flash-screen-replay", undecided),
        judged("flash-recorded-scan", unlit),
        judged("flash-injected-video", undecided),
        judged("flash-injected-tint", unlit),
        judged("flash-cut-out-print", unlit),
        judged("flash-rigid-mask", undecided),
        judged("device-honest"),
        judged("device-repackaged", repackaged),
        judged("device-relayed", relayed),
        judged("device-relit", relit),
    )
