"""Results as JSON for the page: everything that the verdict rests on, in words and numbers."""

from collections.abc import Sequence
from typing import Any, Final

from facegate.v1 import result_pb2, verification_service_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from cli.demo.scenarios import SUCCESS, reason_sentence
from cli.verdict import DEGREES, enum_word, enum_words, match_words, message_json
from server.pages import data_uri

_FLASH: Final = "flash_"
_COLOURS: Final = "flash_colours"
_IDLE: Final = " It did not count, because the face answered no colour measurably."
_WITHOUT_KIND: Final = frozenset({"REAL", "UNKNOWN", "UNSPECIFIED"})


def verdict_document(
    response: verification_service_pb2.FinishCheckResponse,
    *,
    thresholds: tuple[float, float],
    verified: bool,
    upload_seconds: float,
    finish_seconds: float,
) -> dict[str, Any]:
    """Return a result as a JSON object.

    Args:
        thresholds: The policy's confidences, 0..100: up to the first a scan is a spoof, from the second it
            is live.
        verified: Whether the result's signature verifies with the server's published keys.
    """
    result = response.result
    return {
        "status": enum_word(result, "status"),
        "check": result.check_id,
        "reasons": _reasons(result),
        "explanations": [*_device_faults(result.device), *result.liveness.explanations],
        "liveness": _liveness(result.liveness, thresholds) if result.HasField("liveness") else None,
        "match": _match(result) if result.match.HasField("similarity") else None,
        "signals": _signals(result.liveness.signals),
        "colours": [_colour(step) for step in result.liveness.challenge_steps],
        "device": _device(result.device),
        "transcript": {
            "intact": result.transcript.intact,
            "frames": result.transcript.frames,
            "dropped": result.transcript.dropped,
            "streams": result.transcript.streams,
        },
        "attempts": [_attempt(attempt) for attempt in result.attempts],
        "seconds": {
            "upload": upload_seconds,
            "scan": _between(result.attempts[0].start_time, result.decide_time) if result.attempts else None,
            "finish": finish_seconds,
        },
        "policy": {"name": result.policy.name, "version": result.policy.version},
        "pack": {
            "name": result.pack.name,
            "version": result.pack.version,
            "evaluation": result.pack.evaluation_only,
            "missing": list(result.pack.missing_pad_networks),
        },
        "sandbox": result.sandbox,
        "signature_verified": verified,
        "evidence": _image(response.evidence_frame) if response.HasField("evidence_frame") else None,
        "audit_images": [_image(image) for image in response.audit_images],
        "result_json": message_json(result),
        "result_jws": response.result_jws,
    }


def _reasons(result: result_pb2.CheckResult) -> list[dict[str, str]]:
    if result.status == result_pb2.CHECK_STATUS_SUCCESS:
        return [{"name": "", "text": SUCCESS}]
    return [{"name": name, "text": reason_sentence(name)} for name in enum_words(result, "reasons")]


def _device_faults(device: result_pb2.DeviceResult) -> list[str]:
    return [
        f"Device: {test.detail.rstrip('.')}."
        for test in device.checks
        if test.decisive and not test.tolerated
    ]


def _liveness(liveness: result_pb2.LivenessResult, thresholds: tuple[float, float]) -> dict[str, Any]:
    attack = enum_word(liveness, "attack_type")
    spoof, live = thresholds
    return {
        "verdict": enum_word(liveness, "verdict"),
        "confidence": liveness.confidence,
        "spoof_threshold": spoof,
        "live_threshold": live,
        "attack_type": None if attack in _WITHOUT_KIND else attack,
        "mode": enum_word(liveness, "used_mode"),
        "verified_bits": liveness.verified_bits,
        "required_bits": liveness.required_bits,
    }


def _match(result: result_pb2.CheckResult) -> dict[str, Any]:
    match = result.match
    return {
        "same_person": match.same_person,
        "similarity": match.similarity,
        "required": match.required_similarity,
        "meaning": match_words(result),
        "frames": match.frames_used,
    }


def _signals(signals: Sequence[result_pb2.Signal]) -> list[dict[str, Any]]:
    """Return the signals, the heaviest first.

    In the result, the assessed signals of the flash share half of the weights. But if no colour was decided,
    that alone is the finding (``liveness.dynamic.judge``), and their scores did not count. They then have the
    weight 0 here, and the weights of the others sum to 1.
    """
    decided = any(signal.name == _COLOURS and signal.HasField("score") for signal in signals)
    idle = set() if decided else {one.name for one in signals if one.name.startswith(_FLASH) and one.weight}
    rest = sum(signal.weight for signal in signals if signal.name not in idle) if idle else 1.0
    shown = [
        {
            "name": signal.name,
            "label": signal.label or signal.name,
            "score": signal.score if signal.HasField("score") else None,
            "passed": signal.passed if signal.HasField("passed") else None,
            "weight": 0.0 if signal.name in idle or rest == 0 else signal.weight / rest,
            "detail": _sentence(signal.detail) + (_IDLE if signal.name in idle else ""),
        }
        for signal in signals
    ]
    return sorted(shown, key=lambda one: -one["weight"])


def _sentence(text: str) -> str:
    text = text.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _colour(step: result_pb2.ChallengeStep) -> dict[str, Any]:
    return {
        "step": step.step,
        "colour": [step.color.red, step.color.green, step.color.blue],
        "drawn": step.drawn_bits > 0,
        "agrees": step.agrees if step.HasField("agrees") else None,
        "signal_to_noise": step.signal_to_noise if step.HasField("signal_to_noise") else None,
    }


def _device(device: result_pb2.DeviceResult) -> dict[str, Any]:
    return {
        "assurance": enum_word(device, "assurance"),
        "required": enum_word(device, "required_assurance"),
        "tests": [
            {
                "name": test.name,
                "outcome": enum_word(test, "outcome"),
                "detail": _sentence(test.detail or test.reason),
                "decisive": test.decisive,
                "tolerated": test.tolerated,
            }
            for test in device.checks
        ],
    }


def _attempt(attempt: result_pb2.AttemptSummary) -> dict[str, Any]:
    return {
        "number": attempt.attempt,
        "outcome": enum_word(attempt, "outcome"),
        "frames": attempt.frames,
        "seconds": _between(attempt.start_time, attempt.end_time) if attempt.HasField("end_time") else None,
    }


def _between(start: Timestamp, end: Timestamp) -> float:
    return (end.ToNanoseconds() - start.ToNanoseconds()) / 1e9


def _image(image: result_pb2.EvidenceImage) -> dict[str, Any]:
    return {
        "image": data_uri(image.image, media_type=image.media_type or "image/jpeg"),
        "rotation": DEGREES.get(image.rotation, 0),
        "mirrored": image.mirrored,
        "frame": image.frame_index,
        "sha256": image.sha256.hex(),
    }
