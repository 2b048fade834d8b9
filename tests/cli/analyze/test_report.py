import json

import pytest

from cli.analyze.report import as_envelope, as_json_line
from liveness.verdict import Verdict
from tests.cli.analyze.samples import picture_finding, problem_finding, video_finding


def test_a_picture_has_exactly_the_fields_of_the_contract() -> None:
    answer = json.loads(as_json_line(picture_finding()))
    signals = answer["result"].pop("signals")
    assert answer == {
        "status": "success",
        "request_id": "lv_0123456789abcdef",
        "timestamp": "2026-02-07T10:04:55.170Z",
        "result": {"verdict": "LIVE", "confidence": 0.7421, "threshold": 0.58, "face_detected": True},
        "error": None,
        "assessment": "No sign. Deepfakes were not assessed.",
    }
    assert len(signals) == 8
    assert signals[0] == {
        "name": "sharpness",
        "label": "Sharpness",
        "score": 0.8124,
        "weight": 0.125,
        "passed": True,
        "detail": "Fine.",
    }


def test_full_mode_adds_the_fusion_beside_the_result() -> None:
    plain, full = as_envelope(picture_finding()), as_envelope(picture_finding(full=True))
    assert {name: value for name, value in full.items() if name != "full"} == plain
    assert full["full"]["verdict"] == "INCONCLUSIVE"
    assert full["full"]["confidence"] == 0.125
    assert full["full"]["attack_type_name"] == "screen_replay"
    assert [signal["score"] for signal in full["full"]["signals"]] == [0.05, 0.4, None]


def test_a_video_has_the_fields_of_the_video_contract() -> None:
    answer = json.loads(as_json_line(video_finding()))
    result = answer["result"]
    assert (answer["status"], answer["error"]) == ("success", None)
    assert {name: result[name] for name in list(result)[:9]} == {
        "inference_id": "inf_0123456789abcdef01",
        "model_id": "face_liveness",
        "model_name": "Face Liveness Detection",
        "moderation_type": "video",
        "status": "completed",
        "result": {
            "is_real": False,
            "is_spoof": True,
            "real_probability": 0.125,
            "confidence": 0.875,
            "attack_type": 2,
            "attack_type_name": "screen_replay",
            "attack_type_confidence": 0.525,
        },
        "response_time_ms": 2100,
        "created_at": "2026-02-07T10:04:55.120Z",
        "completed_at": "2026-02-07T10:04:57.220Z",
    }
    assert result["video"] == {"media_type": "video/mp4", "frames": 40}
    assert len(result["explanations"]) == 2
    assert answer["assessment"] == "Deepfakes were not assessed."


@pytest.mark.parametrize(
    ("verdict", "real", "spoof"),
    [(Verdict.LIVE, True, False), (Verdict.SPOOF, False, True), (Verdict.INCONCLUSIVE, False, False)],
)
def test_an_inconclusive_video_is_neither_real_nor_a_spoof(verdict: Verdict, real: bool, spoof: bool) -> None:
    result = as_envelope(video_finding(verdict))["result"]["result"]
    assert (result["is_real"], result["is_spoof"]) == (real, spoof)


def test_a_problem_is_an_error_without_a_result() -> None:
    answer = as_envelope(problem_finding())
    assert (answer["status"], answer["result"]) == ("error", None)
    assert answer["error"] == {"code": "INVALID_REQUEST", "message": "It is empty."}
    assert list(answer) == ["status", "request_id", "timestamp", "result", "error"]


def test_a_line_is_one_line() -> None:
    line = as_json_line(problem_finding(message="two\nlines \u2028 and \x1b[2J"))
    assert "\n" not in line
    assert line.isascii()
    assert line.isprintable()
