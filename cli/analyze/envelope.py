"""A report as JSON: the older selfie API's envelope, with its names, and the older video API's result."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cli.analyze.finding import Attack, FileKind, FileReport, FileVerdict
from liveness import Signal, Verdict

__all__ = ["as_envelope", "as_json_line"]

_DIGITS: Final = 4
_MODEL_ID: Final = "face_liveness"
_MODEL_NAME: Final = "Face Liveness Detection"


def as_json_line(finding: FileReport) -> str:
    """Returns the envelope as one line of ASCII. With JSON Lines, many files need no array in memory."""
    return json.dumps(as_envelope(finding), separators=(", ", ": "))


def as_envelope(finding: FileReport) -> Mapping[str, Any]:
    """Returns the envelope: ``status``, ``request_id``, ``timestamp``, ``result`` and ``error``, always all.

    ``status`` is ``"success"`` with a result and null as error, or ``"error"`` with an error and null as
    result. Beside them, an image's envelope has ``full`` in full mode, and the envelope of a result has
    ``assessment``, like the service's response.
    """
    problem = finding.problem
    envelope = {
        "status": "error" if problem else "success",
        "request_id": finding.request_id,
        "timestamp": _moment(finding.finished),
        "result": None if problem else _result(finding),
        "error": None if problem is None else {"code": problem.code, "message": problem.message},
    }
    if finding.kind is FileKind.IMAGE and finding.fusion is not None:
        envelope["full"] = _judgement(finding.fusion)
    if problem is None:
        envelope["assessment"] = finding.assessment
    return envelope


def _result(finding: FileReport) -> Mapping[str, Any]:
    if finding.kind is FileKind.IMAGE:
        return _image(finding)
    return _video(finding)


def _image(finding: FileReport) -> Mapping[str, Any]:
    selfie = finding.selfie
    if selfie is None:
        raise ValueError("an image without a problem must have the sum of its signals")
    return {
        "verdict": selfie.verdict.value,
        "confidence": _rounded(selfie.confidence),
        "threshold": None if selfie.thresholds is None else selfie.thresholds.stated,
        "face_detected": finding.face_detected,
        "signals": _signals(selfie.signals),
    }


def _video(finding: FileReport) -> Mapping[str, Any]:
    fusion = finding.fusion
    if fusion is None:
        raise ValueError("a video without a problem must have a judgement")
    attack = fusion.attack or Attack(number=0, name="", confidence=0.0)
    real = fusion.confidence
    return {
        "inference_id": finding.inference_id,
        "model_id": _MODEL_ID,
        "model_name": _MODEL_NAME,
        "moderation_type": "video",
        "status": "completed",
        "result": {
            "is_real": fusion.verdict is Verdict.LIVE,
            "is_spoof": fusion.verdict is Verdict.SPOOF,
            "real_probability": _rounded(real),
            "confidence": _rounded(max(real, 1 - real)),
            "attack_type": attack.number,
            "attack_type_name": attack.name,
            "attack_type_confidence": _rounded(attack.confidence),
        },
        "response_time_ms": round(1000 * finding.seconds),
        "created_at": _moment(finding.started),
        "completed_at": _moment(finding.finished),
        "verdict": fusion.verdict.value,
        "explanations": list(fusion.explanations),
        "signals": _signals(fusion.signals),
        "video": dict(finding.values),
    }


def _judgement(judgement: FileVerdict) -> Mapping[str, Any]:
    attack = judgement.attack
    return {
        "verdict": judgement.verdict.value,
        "confidence": _rounded(judgement.confidence),
        "attack_type": None if attack is None else attack.number,
        "attack_type_name": None if attack is None else attack.name,
        "attack_type_confidence": None if attack is None else _rounded(attack.confidence),
        "explanations": list(judgement.explanations),
        "signals": _signals(judgement.signals),
    }


def _signals(signals: Iterable[Signal]) -> list[Mapping[str, Any]]:
    return [
        {
            "name": signal.name,
            "label": signal.label,
            "score": None if signal.score is None else _rounded(signal.score),
            "weight": _rounded(signal.weight),
            "passed": signal.passed,
            "detail": signal.detail,
        }
        for signal in signals
    ]


def _rounded(value: float) -> float:
    return round(value, _DIGITS)


def _moment(time: datetime) -> str:
    """Returns a time as the older video API writes it: ISO 8601, UTC, as in ``2026-02-07T10:04:55.120Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
