"""``facegate analyze --service`` against a server with answers that a test sets."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import result_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.analyze.samples import BEGUN, clip, picture
from tests.client.fake_server import Refuse
from tests.client.test_analysis import FakeAnalysis, serving_analysis
from vision.image import encode_jpeg


async def _run(fake: FakeAnalysis, *arguments: str | Path) -> Result:
    """Run the command in a thread while ``fake`` serves in this one."""
    async with serving_analysis(fake) as target:
        words = ["analyze", *map(str, arguments), "--service", target]
        runner = CliRunner(env={"COLUMNS": "200"})
        return await asyncio.to_thread(runner.invoke, app, words, catch_exceptions=False)


def _answers(run: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def selfie(tmp_path: Path) -> Path:
    file = tmp_path / "selfie.jpg"
    file.write_bytes(encode_jpeg(picture(), 90))
    return file


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "clip.mp4"
    file.write_bytes(clip([picture(seed) for seed in range(3)]))
    return file


def content(file: Path) -> bytes:
    return file.read_bytes()


def moment() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(BEGUN)
    return stamp


def image_answer(*, full: bool = False) -> analysis_pb2.AnalyzeImageResponse:
    answer = analysis_pb2.AnalyzeImageResponse(
        status="success",
        request_id="lv_0011223344556677",
        timestamp=moment(),
        result=analysis_pb2.SelfieResult(
            verdict="LIVE",
            confidence=0.75,
            threshold=0.58,
            face_detected=True,
            signals=[
                analysis_pb2.SelfieSignal(
                    name="lbp_texture", label="LBP", score=0.75, weight=1.0, passed=True, detail="Skin."
                )
            ],
        ),
        pack=result_pb2.PackReference(name="open", version="abc"),
        assessment="Deepfakes were not assessed.",
    )
    if full:
        answer.full.liveness.CopyFrom(liveness(result_pb2.LIVENESS_VERDICT_SPOOF))
    return answer


def liveness(verdict: result_pb2.LivenessVerdict.ValueType) -> result_pb2.LivenessResult:
    return result_pb2.LivenessResult(
        verdict=verdict,
        confidence=12.5,
        attack_type=result_pb2.ATTACK_TYPE_SCREEN_REPLAY,
        attack_type_confidence=60,
        signals=[
            result_pb2.Signal(name="pad_network", label="Network", score=0.1, weight=1.0, passed=False),
            result_pb2.Signal(name="blink", label="Blinks", detail="Too short."),
        ],
        explanations=["The PAD network sees an attack."],
    )


async def test_a_picture_is_sent_and_answered(selfie: Path) -> None:
    fake = FakeAnalysis(image=image_answer())
    run = await _run(fake, selfie, "--mode", "basic", "--json")
    assert run.exit_code == 0
    assert fake.images[0].image == content(selfie)
    assert fake.images[0].mode == analysis_pb2.ANALYSIS_MODE_BASIC
    (answer,) = _answers(run)
    assert (answer["status"], answer["error"]) == ("success", None)
    assert (answer["request_id"], answer["timestamp"]) == ("lv_0011223344556677", "2026-02-07T10:04:55.120Z")
    assert answer["assessment"] == "Deepfakes were not assessed."
    (signal,) = answer["result"].pop("signals")
    assert answer["result"] == {
        "verdict": "LIVE",
        "confidence": 0.75,
        "threshold": 0.58,
        "face_detected": True,
    }
    assert list(signal.values()) == ["lbp_texture", "LBP", 0.75, 1.0, True, "Skin."]


async def test_in_full_mode_the_fusion_of_the_server_decides(selfie: Path) -> None:
    fake = FakeAnalysis(image=image_answer(full=True))
    run = await _run(fake, selfie)
    assert run.exit_code == 1
    assert fake.images[0].mode == analysis_pb2.ANALYSIS_MODE_FULL
    assert run.stdout.startswith("SPOOF")
    assert "looks like screen replay" in run.stdout
    assert "The PAD network sees an attack." in run.stdout
    assert "pack of the server open abc" in run.stdout


async def test_a_video_and_stills_are_sent_and_answered(video: Path, selfie: Path) -> None:
    answer = analysis_pb2.AnalyzeVideoResponse(
        inference_id="inf_1",
        liveness=liveness(result_pb2.LIVENESS_VERDICT_LIVE),
        created_at=moment(),
        completed_at=moment(),
        video=analysis_pb2.VideoSummary(media_type="video/mp4", frames=30, usable_frames=29, complete=True),
    )
    fake = FakeAnalysis(video=answer)
    run = await _run(fake, video, "--json")
    assert run.exit_code == 0
    assert b"".join(each.chunk for each in fake.uploads[0]) == content(video)
    (analysis,) = _answers(run)
    assert (analysis["request_id"], analysis["result"]["inference_id"]) == ("inf_1", "inf_1")
    assert analysis["result"]["result"]["is_real"] is True
    assert analysis["result"]["video"]["usable_frames"] == 29
    assert [each["score"] for each in analysis["result"]["signals"]] == [0.1, None]
    run = await _run(fake, *[selfie] * 8, "--as-frames", "--json")
    assert [each.frame for each in fake.uploads[1]][1:] == [content(selfie)] * 8
    assert len(_answers(run)) == 1


async def test_a_bad_file_gets_an_error_and_the_next_file_is_analysed(selfie: Path, tmp_path: Path) -> None:
    refusal = Refuse(
        code=grpc.StatusCode.INVALID_ARGUMENT, reason="IMAGE_MALFORMED", metadata={"code": "INVALID_REQUEST"}
    )
    no_face = analysis_pb2.AnalyzeImageResponse(
        status="error",
        request_id="lv_1",
        timestamp=moment(),
        error=analysis_pb2.AnalysisError(code="NO_FACE_DETECTED", message="No face was found."),
    )
    fake = FakeAnalysis(image=no_face, refusals=(refusal,))
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear reader")
    run = await _run(fake, letter, tmp_path / "missing.jpg", selfie, selfie, "--json")
    assert run.exit_code == 2
    assert [answer["error"]["code"] for answer in _answers(run)] == [
        "INVALID_REQUEST",
        "INVALID_REQUEST",
        "INVALID_REQUEST",
        "NO_FACE_DETECTED",
    ]
    assert len(fake.images) == 2, "what is no picture is not sent"


async def test_a_server_that_refuses_whatever_the_file_is_ends_the_command(selfie: Path) -> None:
    refusal = Refuse(code=grpc.StatusCode.UNAUTHENTICATED, reason="UNAUTHENTICATED")
    fake = FakeAnalysis(refusals=(refusal,) * 2)
    run = await _run(fake, selfie, selfie)
    assert (run.exit_code, run.stdout) == (2, "")
    assert "UNAUTHENTICATED" in run.stderr
    assert "--api-key-file" in run.stderr
    assert len(fake.images) == 1


async def test_a_key_that_cannot_be_one_is_refused_and_not_shown(selfie: Path, tmp_path: Path) -> None:
    key, fake = tmp_path / "key.txt", FakeAnalysis()
    for content in ("a key with blanks", "schlüssel"):
        key.write_text(content)
        run = await _run(fake, selfie, "--api-key-file", key)
        assert run.exit_code == 2
        assert "printable ASCII" in run.stderr
        assert content not in run.stderr + run.stdout
    assert fake.images == []


async def test_an_answer_of_another_contract_is_not_guessed_at(selfie: Path) -> None:
    answer = image_answer()
    answer.result.verdict = "MAYBE"
    run = await _run(FakeAnalysis(image=answer), selfie)
    assert run.exit_code == 2
    assert "verdict that this version does not know" in run.stderr
