"""AnalysisService through a real server, and the device's servicer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import result_pb2
from facegate.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from attempt.films import VideoStudy
from facegate_client.stream_call import answer_of
from formats.image_format import ImageFormat, ImageHeader
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.selfie import SIGNAL_NAMES, SelfieResult
from liveness.verdict import (
    AttackType,
    LivenessResult,
    Signal,
    Verdict,
    VerdictReason,
    assessed,
    not_assessed,
)
from server.analysis.assessment import Assessment
from server.analysis.results import (
    AnalysisCode,
    AnalysisMode,
    AnalysisProblem,
    AnalysisRefused,
    ImageAnalysis,
    VideoAnalysis,
    VideoSource,
)
from server.analysis.upload import UploadKind, UploadPlan
from server.base.errors import Reason, Refusal
from server.edge import analysis_servicer
from server.edge.analysis_servicer import image_mode, image_to_wire, upload_plan, video_to_wire
from server.edge.device_servicer import DeviceServicer, _send
from server.edge.places import PlaceRules, Places
from server.edge.web_listener import WebStream
from server.running import workers
from server.scan.messages import CompleteMessage
from server.telemetry.metrics import Metrics
from tests.hostile.refusals import assert_documented
from tests.server.analysis.uploads import (
    genuine,
    numbered,
    sound_only,
    two_persons,
    video,
)
from tests.server.live import LiveServer, portrait, serving, settings_for, until
from tests.server.refusals import Refused, refusal_of, refused
from vision.isolation.video import VideoContainer

# AnalysisService through a real server.

_Config = analysis_pb2.AnalyzeVideoConfig
_Request = analysis_pb2.AnalyzeVideoRequest
_CHUNK = 65_536
_SHORT_IDLE = 0.6
_SHORT_UPLOAD = 4.0
_MEDIA = {".mp4", ".mov", ".avi", ".webm", ".mkv", ".jpg", ".png", ".webp", ".bmp", ".tmp", ".bin"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def analysing(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that decodes videos."""
    settings = settings_for(
        tmp_path_factory.mktemp("analyses"),
        analysis={"video_workers": 1},
        limits={"max_uploads": 2},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.running.capacity.WAIT_SECONDS", 0.1)
        # Each video takes a new process, whose start takes long on a busy machine.
        limits = replace(workers._VIDEO_LIMITS, wait_seconds=90.0, start_seconds=90.0)
        patch.setattr(workers, "_VIDEO_LIMITS", limits)
        async with serving(settings) as server:
            yield server


@dataclass(frozen=True, slots=True)
class _Left:
    """The files in the places where a server could leave some."""

    temporary: frozenset[Path]
    working: frozenset[Path]
    data: frozenset[Path]


@pytest.fixture
def left(analysing: LiveServer, temporary: Path) -> Callable[[], _Left]:
    """Return the files on the disk now."""

    def look() -> _Left:
        data = analysing.settings.data_dir
        return _Left(
            frozenset(temporary.rglob("*")),
            # Other processes may use the checkout's folder meanwhile, with other files.
            frozenset(path for path in Path().iterdir() if path.suffix in _MEDIA),
            # The server writes its database and the witness of its audit log at any time.
            frozenset(
                path
                for path in data.rglob("*")
                if path.is_file() and not path.name.startswith("facegate.db") and path.suffix != ".jws"
            ),
        )

    return look


def _upload(content: bytes, *, config: analysis_pb2.AnalyzeVideoConfig | None = None) -> list[Any]:
    chunks = [content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK)]
    announced = config or _Config(kind=_Config.KIND_VIDEO)
    return [_Request(config=announced), *(_Request(chunk=chunk) for chunk in chunks)]


def _stills(contents: Iterable[bytes]) -> list[Any]:
    return [_Request(config=_Config(kind=_Config.KIND_FRAMES)), *(_Request(frame=c) for c in contents)]


async def _sent(
    live: LiveServer, requests: Sequence[Any], *, pause_at: int | None = None
) -> analysis_pb2.AnalyzeVideoResponse:
    async def messages() -> AsyncIterator[Any]:
        for number, request in enumerate(requests):
            if number == pause_at:
                await asyncio.sleep(20)
            yield request

    return await answer_of(live.analysis.AnalyzeVideo(messages(), timeout=100))


async def _refusal(live: LiveServer, requests: Sequence[Any], **options: int) -> Refused:
    answer = await refusal_of(_sent(live, requests, **options))
    assert_documented(answer)
    return answer


async def _image_refusal(live: LiveServer, request: analysis_pb2.AnalyzeImageRequest) -> Refused:
    answer = await refusal_of(live.analysis.AnalyzeImage(request))
    assert_documented(answer)
    return answer


async def test_a_selfie_is_answered_in_both_modes_and_leaves_nothing(
    analysing: LiveServer, left: Callable[[], _Left]
) -> None:
    before = left()
    basic = await analysing.analysis.AnalyzeImage(analysis_pb2.AnalyzeImageRequest(image=portrait()))
    full = await analysing.analysis.AnalyzeImage(
        analysis_pb2.AnalyzeImageRequest(image=portrait(), mode=analysis_pb2.ANALYSIS_MODE_FULL)
    )
    assert (basic.status, full.status) == ("success", "success")
    assert basic.request_id != full.request_id
    assert basic.result == full.result
    assert len(basic.result.signals) == 8
    assert not basic.HasField("full")
    assert full.full.liveness.signals
    assert full.pack.name == "embedded"
    assert left() == before


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (analysis_pb2.AnalyzeImageRequest(), Reason.IMAGE_EMPTY),
        (analysis_pb2.AnalyzeImageRequest(image=portrait()[:5000]), Reason.IMAGE_MALFORMED),
        (analysis_pb2.AnalyzeImageRequest(image=portrait(), mode=7), Reason.INVALID_FIELD),  # type: ignore[arg-type]  # no value of the enumeration, on purpose
    ],
    ids=["empty", "cut off", "mode 7"],
)
async def test_selfies_that_cannot_be_read(
    analysing: LiveServer, request_: analysis_pb2.AnalyzeImageRequest, reason: Reason
) -> None:
    answer = await _image_refusal(analysing, request_)
    assert answer.reason == reason
    assert answer.metadata["code"] == "INVALID_REQUEST"
    assert answer.metadata["requestId"].startswith("lv_")


async def test_a_server_error_discloses_no_detail(
    analysing: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("server.analysis.image.ImageAnalyst.analyse", fail)
    with capture_logs() as logs, pytest.raises(grpc.RpcError) as caught:
        await analysing.analysis.AnalyzeImage(analysis_pb2.AnalyzeImageRequest(image=portrait()))
    answer = refused(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.INTERNAL, Reason.INTERNAL)
    assert answer.metadata["code"] == "SERVER_ERROR"
    assert "hunter2" not in answer.message
    failed = next(line for line in logs if line["event"] == "analysis_failed")
    assert failed["name"] == answer.metadata["requestId"] == answer.metadata["incidentId"]


@pytest.mark.parametrize("container", ["mp4", "webm"])
async def test_a_video_is_answered_and_leaves_nothing(
    analysing: LiveServer, left: Callable[[], _Left], container: str
) -> None:
    before = left()
    answer = await _sent(analysing, _upload(video(genuine(9), container)))
    assert answer.inference_id.startswith("inf_")
    assert answer.status == "completed"
    assert answer.video.usable_frames >= 8
    assert answer.video.complete
    assert 0.5 <= answer.result.confidence <= 1.0
    assert not (answer.result.is_real and answer.result.is_spoof)
    assert answer.liveness.signals
    assert answer.completed_at.ToMilliseconds() >= answer.created_at.ToMilliseconds()
    assert left() == before


async def test_still_frames_are_answered_without_claims_over_time(analysing: LiveServer) -> None:
    answer = await _sent(analysing, _stills(numbered(genuine(9))))
    assert (answer.video.frames, answer.video.usable_frames) == (9, 9)
    assert not answer.video.HasField("seconds")
    motion = next(signal for signal in answer.liveness.signals if signal.name == "planar_motion")
    assert not motion.HasField("score")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: b"#EXTM3U\nhttp://127.0.0.1/video.ts\n", Reason.VIDEO_FORMAT_NOT_SUPPORTED),
        (sound_only, Reason.VIDEO_WITHOUT_PICTURES),
        (lambda: video(two_persons(9), "avi"), Reason.MULTIPLE_FACES),
    ],
    ids=["a play list", "sound only", "two persons"],
)
async def test_videos_that_cannot_be_judged(
    analysing: LiveServer, left: Callable[[], _Left], make: Callable[[], bytes], reason: Reason
) -> None:
    content = make()
    before = left()
    answer = await _refusal(analysing, _upload(content))
    assert answer.reason == reason, answer
    assert answer.metadata["code"]
    assert answer.metadata["inferenceId"].startswith("inf_")
    assert left() == before


async def test_uploads_that_break_the_order(analysing: LiveServer) -> None:
    config = _Request(config=_Config(kind=_Config.KIND_VIDEO))
    head = _Request(chunk=b"RIFF\0\0\0\0AVI " + bytes(5000))
    table: list[tuple[list[Any], Reason]] = [
        ([], Reason.VIDEO_EMPTY),
        ([config], Reason.VIDEO_EMPTY),
        ([head], Reason.UNEXPECTED_MESSAGE),
        ([config, config], Reason.UNEXPECTED_MESSAGE),
        ([config, head, config], Reason.UNEXPECTED_MESSAGE),
        ([config, head, _Request()], Reason.UNEXPECTED_MESSAGE),
        ([config, head, _Request(frame=b"x")], Reason.UNEXPECTED_MESSAGE),
        ([config, _Request(chunk=b"")], Reason.INVALID_FIELD),
        ([_Request(config=_Config())], Reason.INVALID_FIELD),
        ([*_stills([]), head], Reason.UNEXPECTED_MESSAGE),
        (_stills([b""]), Reason.IMAGE_EMPTY),
        (_stills([]), Reason.VIDEO_EMPTY),
        (
            [_Request(config=_Config(kind=_Config.KIND_VIDEO, total_bytes=9000)), head],
            Reason.VIDEO_MALFORMED,
        ),
    ]
    for requests, reason in table:
        answer = await _refusal(analysing, requests)
        assert answer.reason == reason, (requests, answer)


async def test_a_malformed_message_is_refused(analysing: LiveServer) -> None:
    call: Any = analysing.service_channel.stream_unary("/facegate.v1.AnalysisService/AnalyzeVideo")

    async def messages() -> AsyncIterator[bytes]:
        yield b"\xff\xff\xff"

    with pytest.raises(grpc.RpcError):
        await answer_of(call(messages(), timeout=100))
    assert (await _sent(analysing, _stills(numbered(genuine(8))))).status == "completed"


def _refused_while_sending(live: LiveServer, messages: Iterator[Any]) -> Refused:
    """The asynchronous client would report its own failed write instead of the server's answer."""
    with grpc.insecure_channel(live.server.service_target) as channel:
        stub: Any = AnalysisServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.AnalyzeVideo(messages, timeout=100)
        return refused(caught.value)


async def test_the_upload_ends_where_the_limit_is(analysing: LiveServer) -> None:
    sent = 0

    def messages() -> Iterator[Any]:
        nonlocal sent
        yield _Request(config=_Config(kind=_Config.KIND_VIDEO))
        yield _Request(chunk=b"RIFF\0\0\0\0AVI " + bytes(1_048_564))
        while sent < 200_000_000:
            sent += 1_048_576
            yield _Request(chunk=bytes(1_048_576))

    late = await asyncio.to_thread(_refused_while_sending, analysing, messages())
    assert (late.code, late.reason) == (grpc.StatusCode.INVALID_ARGUMENT, Reason.VIDEO_TOO_LARGE)
    assert sent < 80_000_000


@pytest.mark.slow
async def test_a_pause_and_a_trickle_end_the_upload(
    analysing: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(analysis_servicer, "IDLE_SECONDS", _SHORT_IDLE)
        answer = await _refusal(analysing, _upload(bytes(10)), pause_at=1)
    assert (answer.reason, answer.metadata["idleSeconds"]) == (Reason.STREAM_IDLE, str(_SHORT_IDLE))
    monkeypatch.setattr(analysis_servicer, "UPLOAD_SECONDS", _SHORT_UPLOAD)

    def trickle() -> Iterator[Any]:
        yield _Request(config=_Config(kind=_Config.KIND_VIDEO))
        yield _Request(chunk=b"RIFF\0\0\0\0AVI " + bytes(5000))
        for _ in range(60):
            time.sleep(0.3)
            yield _Request(chunk=bytes(4096))

    late = await asyncio.to_thread(_refused_while_sending, analysing, trickle())
    assert_documented(late)
    assert late.reason == Reason.DEADLINE_EXCEEDED


async def test_beyond_the_servers_number_callers_are_sent_away_with_a_wait(analysing: LiveServer) -> None:
    release = asyncio.Event()

    async def held() -> AsyncIterator[Any]:
        for request in _upload(video(genuine(9))):
            yield request
        await release.wait()

    async def hold() -> None:
        await answer_of(analysing.analysis.AnalyzeVideo(held(), timeout=120))

    async def held_by_both() -> bool:
        return 'facegate_places_in_use{kind="videos"} 2.0' in (await analysing.metrics()).splitlines()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    try:
        await until(held_by_both)
        answer = await _refusal(analysing, [_Request(config=_Config(kind=_Config.KIND_VIDEO))])
        assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (answer.reason, answer.retry_seconds) == (Reason.OVERLOADED, 4.0)
    finally:
        release.set()
        await asyncio.gather(*holders, return_exceptions=True)
    assert (await _sent(analysing, _stills(numbered(genuine(8))))).status == "completed"


async def test_health_is_reported_where_it_is_served(analysing: LiveServer) -> None:
    asked = health_pb2.HealthCheckRequest(service="facegate.v1.AnalysisService")
    service: Any = health_pb2_grpc.HealthStub(analysing.service_channel)
    assert (await service.Check(asked)).status == health_pb2.HealthCheckResponse.SERVING
    device: Any = health_pb2_grpc.HealthStub(analysing.device_channel)
    with pytest.raises(grpc.RpcError) as caught:
        await device.Check(asked)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


_NOW = datetime(2026, 2, 7, 10, 4, 55, tzinfo=UTC)
_PACK = result_pb2.PackReference(name="embedded")
_HEADER = ImageHeader(ImageFormat.JPEG, 3000, 4000, 3, 8)
_FULL = LivenessResult(
    verdict=Verdict.SPOOF,
    score=12.0,
    policy=LivenessPolicy(),
    attack=AttackType.INJECTION,
    signals=(
        assessed(name="moire", label="No moiré", score=0.1, detail="A pixel grid shows."),
        not_assessed(name="blink", label="Blinks", reason="One frame."),
    ),
    reasons=(VerdictReason.NETWORK_SEES_ATTACK,),
)


def _selfie() -> SelfieResult:
    signals = tuple(
        Signal(name, name.replace("_", " ").title(), 0.75, 0.125, True, f"Found {name}.")
        for name in SIGNAL_NAMES
    )
    return SelfieResult(
        verdict=Verdict.LIVE,
        confidence=0.75,
        threshold=0.58,
        face_detected=True,
        signals=signals,
        not_assessed=(),
        version="1",
    )


def _as_json(message: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        json_format.MessageToJson(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )
    return made


def test_success_is_the_older_contracts_answer_field_by_field() -> None:
    analysis = ImageAnalysis(header=_HEADER, selfie=_selfie(), problem=None)
    answer = _as_json(image_to_wire(analysis, request_id="lv_0123456789abcdef", now=_NOW, pack=_PACK))
    assert set(answer) == {"status", "request_id", "timestamp", "result", "pack", "assessment"}
    assert answer["status"] == "success"
    assert answer["request_id"] == "lv_0123456789abcdef"
    assert answer["timestamp"] == "2026-02-07T10:04:55Z"
    result = answer["result"]
    assert set(result) == {"verdict", "confidence", "threshold", "face_detected", "signals"}
    assert (result["verdict"], result["confidence"], result["threshold"]) == ("LIVE", 0.75, 0.58)
    assert [signal["name"] for signal in result["signals"]] == list(SIGNAL_NAMES)
    for signal in result["signals"]:
        assert set(signal) == {"name", "label", "score", "weight", "passed", "detail"}
    assert sum(signal["weight"] for signal in result["signals"]) == pytest.approx(1.0)


def test_a_problem_is_an_error_without_a_result() -> None:
    problem = AnalysisProblem(AnalysisCode.NO_FACE_DETECTED, "Take another.")
    analysis = ImageAnalysis(header=_HEADER, selfie=None, problem=problem)
    answer = _as_json(image_to_wire(analysis, request_id="lv_0", now=_NOW, pack=_PACK))
    assert answer["status"] == "error"
    assert answer["error"] == {"code": "NO_FACE_DETECTED", "message": "Take another."}
    assert "result" not in answer
    assert "full" not in answer


def test_the_full_answer_accompanies_the_older_one() -> None:
    analysis = ImageAnalysis(header=_HEADER, selfie=_selfie(), problem=None, full=_FULL)
    answer = image_to_wire(analysis, request_id="lv_0", now=_NOW, pack=_PACK)
    assert answer.result.verdict == "LIVE"
    liveness = answer.full.liveness
    assert liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert liveness.attack_type == result_pb2.ATTACK_TYPE_INJECTION
    assert [signal.HasField("score") for signal in liveness.signals] == [True, False]
    assert list(liveness.explanations) == ["The PAD network detects an attack."]


def _video(container: VideoContainer | None = VideoContainer.WEBM) -> VideoAnalysis:
    nothing = ScanObservations(frames=(), motion=())
    return VideoAnalysis(
        source=VideoSource(
            container=container,
            frames=31,
            usable=29,
            seconds=None if container is None else 5.5,
            other_size=2,
            repeated=1,
            complete=False,
        ),
        liveness=_FULL,
        study=VideoStudy(observations=nothing, selected=(), identified=frozenset(), pad_scores=(), cues=()),
        assessment=Assessment(networks=("net",), missing=(), cues=True, motion=True, one_person=True),
    )


def test_a_video_is_the_older_contracts_answer_field_by_field() -> None:
    answer = _as_json(
        video_to_wire(
            _video(),
            inference_id="inf_000102030405060708",
            created=_NOW,
            completed=_NOW + timedelta(seconds=2.1),
            pack=_PACK,
        )
    )
    older = {
        "inference_id",
        "model_id",
        "model_name",
        "moderation_type",
        "status",
        "result",
        "response_time_ms",
        "created_at",
        "completed_at",
    }
    assert set(answer) == older | {"liveness", "video", "pack", "assessment"}
    assert answer["assessment"].startswith("Deepfakes and injected recordings were not assessed. ")
    assert (answer["model_id"], answer["model_name"]) == ("face_liveness", "Face Liveness Detection")
    assert (answer["status"], answer["moderation_type"]) == ("completed", "video")
    assert answer["response_time_ms"] == 2100
    assert answer["created_at"] == "2026-02-07T10:04:55Z"
    assert answer["completed_at"] == "2026-02-07T10:04:57.100Z"
    assert answer["result"] == {
        "is_real": False,
        "is_spoof": True,
        "real_probability": 0.12,
        "confidence": 0.88,
        "attack_type": 6,
        "attack_type_name": "injection",
        "attack_type_confidence": 0.88,
    }
    assert answer["video"] == {
        "media_type": "video/webm",
        "frames": 31,
        "usable_frames": 29,
        "seconds": 5.5,
        "other_size_frames": 2,
        "complete": False,
        "repeated_frames": 1,
    }


def test_still_frames_have_no_length_and_no_container() -> None:
    answer = video_to_wire(_video(None), inference_id="inf_0", created=_NOW, completed=_NOW, pack=_PACK)
    assert not answer.video.HasField("seconds")
    assert answer.video.media_type == ""


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    answer = video_to_wire(
        _video(), inference_id="inf_0", created=_NOW, completed=_NOW - timedelta(hours=1), pack=_PACK
    )
    assert answer.response_time_ms == 0


def test_modes() -> None:
    assert image_mode(analysis_pb2.ANALYSIS_MODE_UNSPECIFIED) is AnalysisMode.BASIC
    assert image_mode(analysis_pb2.ANALYSIS_MODE_BASIC) is AnalysisMode.BASIC
    assert image_mode(analysis_pb2.ANALYSIS_MODE_FULL) is AnalysisMode.FULL
    with pytest.raises(AnalysisRefused) as caught:
        image_mode(9)
    assert caught.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (_Config.CONTAINER_UNSPECIFIED, None),
        *((_Config.Container.Value(f"CONTAINER_{each.name}"), each) for each in VideoContainer),
    ],
)
def test_every_container_can_be_announced(container: Any, expected: VideoContainer | None) -> None:
    plan = upload_plan(_Config(kind=_Config.KIND_VIDEO, container=container, total_bytes=12))
    assert plan == UploadPlan(kind=UploadKind.VIDEO, container=expected, total_bytes=12)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (_Config(), "kind"),
        (_Config(kind=7), "kind"),  # type: ignore[arg-type]  # no value of the enumeration, on purpose
        (_Config(kind=_Config.KIND_VIDEO, container=9), "container"),  # type: ignore[arg-type]  # likewise
        (
            _Config(kind=_Config.KIND_FRAMES, container=_Config.CONTAINER_MP4),
            "container",
        ),
    ],
)
def test_announcements_that_make_no_sense(config: analysis_pb2.AnalyzeVideoConfig, field: str) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        upload_plan(config)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == field


def test_an_announcement_of_too_much_is_refused_before_any_byte_comes() -> None:
    with pytest.raises(AnalysisRefused) as caught:
        upload_plan(_Config(kind=_Config.KIND_VIDEO, total_bytes=50_000_001))
    assert caught.value.reason is Reason.VIDEO_TOO_LARGE


# Behaviour of the device's servicer outside the scan tests.


class _Deaf:
    """A context, or a socket, with a device that reads nothing."""

    async def write(self, _message: object) -> None:
        await asyncio.Event().wait()

    async def send_bytes(self, message: bytes) -> None:
        await self.write(message)


async def test_a_device_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("device_servicer", "web_listener"):
        monkeypatch.setattr(f"server.edge.{module}.WRITE_SECONDS", 0.05)
    context: Any = _Deaf()
    web = WebStream(max_message_bytes=1)
    web._socket = context
    for send in (partial(_send, context), web.send):
        with pytest.raises(Refusal) as caught:
            await send(CompleteMessage(1))
        assert caught.value.reason is Reason.STREAM_IDLE


async def test_a_message_is_handed_over_before_its_sender_waits() -> None:
    """So the time immediately before ``send`` is that of the hand-over; the age of an answer relies on it."""
    handed: list[object] = []

    class _Slow(_Deaf):
        async def write(self, message: object) -> None:
            handed.append(message)
            await super().write(message)

    context: Any = _Slow()
    web = WebStream(max_message_bytes=1)
    web._socket = context
    for send in (partial(_send, context), web.send):
        sending = asyncio.create_task(send(CompleteMessage(1)))
        # One turn of the loop runs the task up to its first wait.
        await asyncio.sleep(0)
        assert handed.pop()
        sending.cancel()


async def test_the_servicer_serves_nothing_before_it_is_opened() -> None:
    metrics = Metrics(CollectorRegistry())
    servicer = DeviceServicer(scans=Places("scans", PlaceRules(most=1), metrics=metrics), metrics=metrics)
    nothing: Any = None
    with pytest.raises(Refusal) as caught:
        await servicer.serve(nothing, nothing, header_origin=None)
    assert caught.value.reason is Reason.NOT_SERVING
    assert caught.value.retry_after
    assert servicer.scans == 0
    await asyncio.wait_for(servicer.idle(), 60)
