"""Hostile scans: bad frames, wrong orders, oversized and meaningless messages."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from google.protobuf.message import Message

from server.base.errors import Reason
from tests.formats.samples import jpeg_segment
from tests.hostile.files import CASES, PICTURE, Case
from tests.hostile.image_files import declared, many_scans, with_segments
from tests.hostile.refusals import End, assert_documented, raw_stream, raw_unary, raw_watch
from tests.hostile.storage import Storage
from tests.sampling import some_fast
from tests.server.live import LiveServer, Picture, over_web, pictures
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import Refused

_FRAME_BYTES = 512 * 1024


@pytest_asyncio.fixture(
    params=["grpc", pytest.param("web", marks=pytest.mark.slow)], scope="module", loop_scope="session"
)
async def live(live: LiveServer, request: pytest.FixtureRequest) -> AsyncIterator[LiveServer]:
    """The server over both transports of devices."""
    if request.param == "grpc":
        yield live
        return
    async with over_web(live) as paged:
        yield paged


def _id(case: Case) -> str:
    return case.name.replace(" ", "-").replace(",", "")


async def _refusal(
    live: LiveServer, messages: Callable[[RawStream], Sequence[scan_pb2.ScanFaceRequest]]
) -> Refused:
    """The end of a stream after messages; the server keeps no object without a row, and frees the place."""
    stream = await RawDevice(live.device, await live.upload()).open()
    await stream.begin()
    for message in messages(stream):
        await stream.send(message)
    answer = await stream.outcome()
    assert answer is not None, "it was not refused"
    assert_documented(answer)
    await live.unattended()
    assert await live.orphans() == set()
    return answer


def _frame_of(data: bytes, *, width: int = 360, height: int = 480) -> Picture:
    return Picture(data, 0, width, height)


# Named, because making all files takes seconds of every process that collects the tests.
_LARGER_THAN_A_FRAME = {"jpeg, huge ICC profile", "jpeg, 100 000 scans", "one byte too many"}
_SMALL_ENOUGH = [case for case in CASES if case.name not in _LARGER_THAN_A_FRAME]


@pytest.mark.slow
def test_the_named_files_are_larger_than_a_frame() -> None:
    assert {case.name for case in CASES if len(case.make()) > _FRAME_BYTES} == _LARGER_THAN_A_FRAME


@pytest.mark.parametrize("case", some_fast(_SMALL_ENOUGH, step=5), ids=_id)
async def test_hostile_files_are_refused_as_frames(live: LiveServer, storage: Storage, case: Case) -> None:
    before = storage.kept()
    picture = _frame_of(case.make(), width=96, height=64)
    answer = await _refusal(live, lambda stream: [stream.frame(picture)])
    assert answer.reason == Reason.FRAME_IMAGE_INVALID, answer
    after = storage.kept()
    assert (after.files, after.temporary) == (before.files, before.temporary)


def _good() -> Picture:
    return pictures()[0]


_BAD_FRAMES: dict[str, Callable[[], Picture]] = {
    "other size than declared": lambda: replace(_good(), width=480, height=360),
    "no size declared": lambda: replace(_good(), width=0, height=0),
    "2**32 - 1 pixels declared": lambda: replace(_good(), width=2**32 - 1, height=2**32 - 1),
    "cut off": lambda: replace(_good(), jpeg=_good().jpeg[:-300]),
    "png": lambda: replace(_good(), jpeg=b"\x89PNG\r\n\x1a\n" + _good().jpeg),
    "65 535 pixels a side": lambda: _frame_of(declared(65_535, 65_535), width=65_535, height=65_535),
    "a line": lambda: _frame_of(declared(65_000, 1), width=65_000, height=1),
    "100 scans": lambda: replace(_good(), jpeg=_good().jpeg[:-2] + b"\xff\xda\x00\x02" * 100 + b"\xff\xd9"),
}


@pytest.mark.parametrize("name", _BAD_FRAMES)
async def test_a_bad_frame_ends_the_stream_and_leaves_the_check_open(live: LiveServer, name: str) -> None:
    answer = await _refusal(live, lambda stream: [stream.frame(_BAD_FRAMES[name]())])
    assert answer.reason == Reason.FRAME_IMAGE_INVALID, answer


async def test_the_frames_orientation_tag_turns_nothing(live: LiveServer) -> None:
    upload = await live.upload()
    stream = await RawDevice(live.device, upload).open()
    tagged = jpeg_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0")
    result = await stream.run_attempt([replace(p, jpeg=with_segments(p.jpeg, tagged)) for p in pictures()])
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    await stream.half_close()
    assert await stream.outcome() is None
    answer = await live.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS


def _changed(stream: RawStream, **changes: Callable[[bytes], bytes]) -> scan_pb2.ScanFaceRequest:
    """A good frame, of whose parts some are changed afterwards."""
    request = stream.frame(_good())
    for name, change in changes.items():
        setattr(request.frame, name, change(getattr(request.frame, name)))
    return request


def _attested(**evidence: Message) -> scan_pb2.ScanFaceRequest:
    return scan_pb2.ScanFaceRequest(attestation=device_pb2.Attestation(**evidence))  # type: ignore[arg-type]


_ACTS: dict[str, tuple[Callable[[RawStream], Sequence[scan_pb2.ScanFaceRequest]], Reason]] = {
    "skips": (lambda its: [its.frame(_good(), index=1)], Reason.FRAME_OUT_OF_ORDER),
    "repeats": (lambda its: [its.frame(_good())] * 2, Reason.FRAME_OUT_OF_ORDER),
    "another attempt": (lambda its: [its.frame(_good(), attempt=2)], Reason.FRAME_OUT_OF_ORDER),
    "the last number": (
        lambda its: [its.frame(_good(), index=2**32 - 1, attempt=2**32 - 1)],
        Reason.FRAME_OUT_OF_ORDER,
    ),
    "a wrong MAC": (lambda its: [_changed(its, mac=lambda mac: bytes(32))], Reason.FRAME_MAC_INVALID),
    "a long MAC": (lambda its: [_changed(its, mac=lambda mac: mac * 1000)], Reason.FRAME_MAC_INVALID),
    "a changed image": (
        lambda its: [_changed(its, image=lambda image: image + b"\x00")],
        Reason.FRAME_MAC_INVALID,
    ),
    "back in time": (
        lambda its: [its.frame(_good(), capture_time_us=time) for time in (2**64 - 1, 0)],
        Reason.FRAME_TIME_INVALID,
    ),
    "a huge image": (
        lambda its: [its.frame(_frame_of(many_scans(PICTURE, 0) + bytes(_FRAME_BYTES)))],
        Reason.FRAME_TOO_LARGE,
    ),
    "an unknown rotation": (lambda its: [its.frame(_good(), rotation=77)], Reason.INVALID_FIELD),
    "a long header": (
        lambda its: [_changed(its, header=lambda header: header + bytes(5000))],
        Reason.INVALID_FIELD,
    ),
    "a second start": (
        lambda its: [scan_pb2.ScanFaceRequest(start=scan_pb2.ScanStart().SerializeToString())],
        Reason.UNEXPECTED_MESSAGE,
    ),
    "a proof out of turn": (
        lambda its: [scan_pb2.ScanFaceRequest(resume_proof=scan_pb2.ResumeProof(signature=its.proof()))],
        Reason.UNEXPECTED_MESSAGE,
    ),
    "nothing": (lambda its: [scan_pb2.ScanFaceRequest()], Reason.UNEXPECTED_MESSAGE),
    "frames that never came": (lambda its: [its.end(frame_count=2**32 - 1)], Reason.ATTEMPT_END_INVALID),
    "a long signature": (lambda its: [its.end(signature=bytes(100_000))], Reason.ATTEMPT_END_INVALID),
    "much evidence": (
        lambda its: [_attested(play_integrity=device_pb2.PlayIntegrityToken(token="x" * 100_000))],
        Reason.SCAN_BUDGET_EXCEEDED,
    ),
    "evidence too often": (
        lambda its: [_attested(unavailable=device_pb2.AttestationUnavailable())] * 20,
        Reason.SCAN_BUDGET_EXCEEDED,
    ),
}


@pytest.mark.parametrize("name", _ACTS)
async def test_impossible_device_behaviour_is_refused(live: LiveServer, storage: Storage, name: str) -> None:
    messages, reason = _ACTS[name]
    before = storage.kept()
    answer = await _refusal(live, messages)
    assert answer.reason == reason, answer
    assert storage.kept().temporary == before.temporary


_BAD_STARTS: dict[str, tuple[dict[str, object], Reason]] = {
    "no token": ({"token": ""}, Reason.TOKEN_INVALID),
    "a long token": ({"token": "t" * 5_000}, Reason.INVALID_FIELD),
    "a token of other characters": ({"token": "\u0661" * 71}, Reason.TOKEN_INVALID),
    "a share of small order": ({"key_share": bytes(32)}, Reason.INVALID_FIELD),
    "another share of small order": ({"key_share": b"\x01" + bytes(31)}, Reason.INVALID_FIELD),
    "a short share": ({"key_share": bytes(31)}, Reason.INVALID_FIELD),
    "no key": ({"session_public_key": b""}, Reason.INVALID_FIELD),
    "a key that is none": ({"session_public_key": bytes(91)}, Reason.INVALID_FIELD),
    "a long key": ({"session_public_key": bytes(10_000)}, Reason.INVALID_FIELD),
    "a fingerprint of 31 bytes": ({"server_spki_sha256": bytes(31)}, Reason.INVALID_FIELD),
    "version 0": ({"protocol_version": 0}, Reason.PROTOCOL_VERSION_NOT_SUPPORTED),
    "version 2**32 - 1": ({"protocol_version": 2**32 - 1}, Reason.PROTOCOL_VERSION_NOT_SUPPORTED),
    "more than 16 KiB": ({"language": "x" * 20_000}, Reason.INVALID_FIELD),
}


@pytest.mark.parametrize("name", _BAD_STARTS)
async def test_a_bad_start_takes_no_lease(live: LiveServer, name: str) -> None:
    overrides, reason = _BAD_STARTS[name]
    upload = await live.upload()
    with pytest.raises(Ended) as caught:
        await RawDevice(live.device, upload).connect().start(**overrides)  # type: ignore[arg-type]  # fields by name
    assert caught.value.refusal is not None
    assert_documented(caught.value.refusal)
    assert caught.value.refusal.reason == reason
    await live.unattended()
    record = await live.record(upload.check_id)
    assert (record.streams, record.session_key) == (0, None)


_SERVICE_CALLS = ("UploadTrustedImage", "FinishCheck")


@pytest.mark.parametrize("size", some_fast([1, 1000, 200_000], step=2))
@pytest.mark.parametrize("method", ["ScanFace", "WatchCheck", *_SERVICE_CALLS])
async def test_bytes_that_are_no_message(live: LiveServer, method: str, size: int) -> None:
    garbage = random.Random(size).randbytes(size - 1) + b"\xff"
    if method == "ScanFace":
        end = await raw_stream(live.device_channel, garbage)
    elif method == "WatchCheck":
        end = await raw_watch(live.service_channel, garbage)
    else:
        end = await raw_unary(live.service_channel, method, garbage)
    assert end.code is grpc.StatusCode.INVALID_ARGUMENT
    assert end.refused is not None
    assert_documented(end.refused)
    assert end.refused.reason == Reason.INVALID_FIELD


async def test_messages_beyond_the_listeners_limits(live: LiveServer) -> None:
    # Its own connection, because one that reaches its age is closed behind its last call, and the status is
    # lost with what the server has not read.
    own = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(live.server.device_target, options=own) as device:
        stream = await raw_stream(device, bytes(800_000))
    calls = [await raw_unary(live.service_channel, method, bytes(12_000_000)) for method in _SERVICE_CALLS]
    ends = [stream, *calls]
    assert ends == [End(grpc.StatusCode.RESOURCE_EXHAUSTED, None)] * 3
