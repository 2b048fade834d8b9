"""A recording of an earlier check that succeeded, sent again in a new check of a real server."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2

from server.base.sandbox import TOLERATED
from simulator.scan import simulate_scan
from simulator.scene import ScanKind, SceneSettings
from tests.packs import real_photo
from tests.sampling import some_fast
from tests.server.live import (
    FAST,
    PLAN,
    LiveServer,
    Picture,
    fresh_pictures,
    pictures,
    serving,
    settings_for,
)
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from vision.face import BgrImage
from vision.image import encode_jpeg

_SUCCESS = result_pb2.CHECK_STATUS_SUCCESS
_FAILURE = result_pb2.CHECK_STATUS_FAILURE
_NOT_TRUSTED = result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED
_MANIPULATED = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED
_REQUIRED = """
[device.demands.unspecified]
memory = "required"
stream = "required"
"""

_LONGER = replace(FAST, plan=replace(PLAN, frames=26, seconds=2.5))
"""Long enough to compare movements."""

Sent = Callable[[bytes], bytes]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose callers are real ones."""
    folder = tmp_path_factory.mktemp("sent-again")
    settings = settings_for(folder, sandbox=False)
    policies = folder / "policies"
    write_policy(policies, "plain", tolerate=())
    write_policy(policies, "waived")
    write_policy(policies, "required", tolerate=())
    with (policies / "required.toml").open("a") as file:
        file.write(_REQUIRED)
    async with serving(settings, tuning=_LONGER) as served:
        yield served


def _shown() -> Sequence[Picture]:
    """A genuine scan, taken anew."""
    return fresh_pictures(pictures(count=36))


async def _check(live: LiveServer, shown: Sequence[Picture], policy: str) -> result_pb2.CheckResult:
    upload = await live.upload(policy=policy)
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(shown)
    await stream.outcome()
    await live.unattended()
    return (await live.finish(upload.check_id)).result


def _memory(result: result_pb2.CheckResult, name: str) -> result_pb2.DeviceCheck:
    return next(check for check in result.device.checks if check.name == name)


def _inserted(segment: bytes, jpeg: bytes) -> bytes:
    return jpeg[:2] + segment + jpeg[2:]


def _pixels(jpeg: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_BGR), np.uint8)


def _written(pixels: BgrImage, *settings: int) -> bytes:
    return cv2.imencode(".jpg", pixels, settings)[1].tobytes()


def _packed(shown: Sequence[Picture], how: Sent) -> list[Picture]:
    return [replace(picture, jpeg=how(picture.jpeg)) for picture in shown]


_COMMENT = b"\xff\xfe\x00\x07again"
_EXIF = b"\xff\xe1\x00\x10Exif\0\0II*\0\x08\0\0\0"

_SAME_PICTURE: dict[str, Sent] = {
    "comment": partial(_inserted, _COMMENT),
    "bytes after the end": lambda jpeg: jpeg + bytes(16),
    "fill byte": partial(_inserted, b"\xff"),
    "EXIF": partial(_inserted, _EXIF),
}


@pytest.mark.parametrize("policy", some_fast(["plain", "required"], step=2))
@pytest.mark.parametrize("how", some_fast(_SAME_PICTURE, step=4))
async def test_the_same_pictures_in_other_files_are_decisive(live: LiveServer, how: str, policy: str) -> None:
    shown = _shown()
    assert (await _check(live, shown, policy)).status == _SUCCESS
    result = await _check(live, _packed(shown, _SAME_PICTURE[how]), policy)
    untrusted = [_NOT_TRUSTED] if policy == "required" else []
    assert (result.status, list(result.reasons)) == (_FAILURE, [_MANIPULATED, *untrusted])
    found = _memory(result, "memory.frames")
    assert (found.reason, found.decisive, found.tolerated) == ("FRAMES_SHOWN_BEFORE", True, False)
    assert result.device.injection_instrument == "recorded_video"


@pytest.mark.slow
@pytest.mark.parametrize(
    "coding",
    [
        (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    ],
    ids=["Huffman tables", "progressive", "restart markers"],
)
async def test_the_same_coefficients_in_another_coding_are_decisive(
    live: LiveServer, coding: tuple[int, int]
) -> None:
    pixels = [(picture, _pixels(picture.jpeg)) for picture in _shown()]
    quality = (cv2.IMWRITE_JPEG_QUALITY, 90)
    first = [replace(picture, jpeg=_written(shown, *quality)) for picture, shown in pixels]
    again = [replace(picture, jpeg=_written(shown, *quality, *coding)) for picture, shown in pixels]
    assert not {one.jpeg for one in first} & {one.jpeg for one in again}
    assert (await _check(live, first, "plain")).status == _SUCCESS
    found = _memory(await _check(live, again, "plain"), "memory.frames")
    assert (found.reason, found.decisive) == ("FRAMES_SHOWN_BEFORE", True)


@pytest.mark.slow
async def test_frames_that_were_not_measured_are_recognised(live: LiveServer) -> None:
    shown = _shown()
    # At ten frames a second every second frame is measured; these begin with another one.
    assert (await _check(live, shown, "plain")).status == _SUCCESS
    found = _memory(
        await _check(live, _packed(shown[1:], _SAME_PICTURE["comment"]), "plain"), "memory.frames"
    )
    assert found.reason == "FRAMES_SHOWN_BEFORE"


async def test_a_policy_and_the_sandbox_tolerate_the_same_pictures(live: LiveServer) -> None:
    shown = _shown()
    assert (await _check(live, shown, "waived")).status == _SUCCESS
    result = await _check(live, _packed(shown, _SAME_PICTURE["comment"]), "waived")
    assert result.status == _SUCCESS
    found = _memory(result, "memory.frames")
    assert (found.reason, found.decisive, found.tolerated) == ("FRAMES_SHOWN_BEFORE", True, True)
    # The sandbox tolerates a test whatever its reason (tests/server/base/test_sandbox.py).
    assert "memory.frames" in TOLERATED


@pytest.mark.slow
async def test_another_attempt_of_the_same_check_may_show_the_same_pictures(live: LiveServer) -> None:
    upload = await live.upload(policy="plain")
    device = RawDevice(live.device, upload)
    stream = await device.open()
    shown = _shown()
    assert (await stream.run_attempt(shown[:10])).another_attempt
    again = _packed(shown, _SAME_PICTURE["comment"])
    await stream.run_attempt([replace(one, time_us=one.time_us + 10_000_000) for one in again])
    await stream.outcome()
    result = (await live.finish(upload.check_id)).result
    assert result.status == _SUCCESS
    assert _memory(result, "memory.frames").reason != "FRAMES_SHOWN_BEFORE"


def _scaled(pixels: BgrImage, scale: float) -> BgrImage:
    """The picture at another size, with noise."""
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(5).normal(0, 3, small.shape)
    return np.asarray(np.clip(small + noise, 0, 255), np.uint8)


_ALTERED: dict[str, Callable[[BgrImage], BgrImage]] = {
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "quality 84": lambda pixels: pixels,
    "97 % with noise": lambda pixels: _scaled(pixels, 0.97),
    "without its margin": lambda pixels: np.ascontiguousarray(pixels[12:-12, 8:-8]),
}


@pytest.mark.parametrize("policy", some_fast(["plain", "required"], step=2))
@pytest.mark.parametrize("how", some_fast(_ALTERED, step=4))
async def test_altered_pictures_are_a_doubt_that_decides_nothing(
    live: LiveServer, how: str, policy: str
) -> None:
    shown = _shown()
    first = await _check(live, shown, policy)
    again = []
    for picture in shown:
        pixels = _ALTERED[how](_pixels(picture.jpeg))
        jpeg = _written(pixels, cv2.IMWRITE_JPEG_QUALITY, 84)
        again.append(replace(picture, jpeg=jpeg, width=pixels.shape[1], height=pixels.shape[0]))
    result = await _check(live, again, policy)
    assert (first.status, result.status) == (_SUCCESS, _SUCCESS)
    assert _memory(result, "memory.frames").reason == "FRAMES_NEW"
    found = _memory(result, "memory.similarity")
    assert (found.reason, found.outcome) == ("SIMILAR_TO_EARLIER_SCAN", result_pb2.DeviceCheck.OUTCOME_FAIL)
    assert not found.decisive


@pytest.mark.slow
async def test_honest_scans_of_one_person_in_one_place_are_no_doubt(live: LiveServer) -> None:
    for day in (11, 12):
        settings = SceneSettings(
            kind=ScanKind.GENUINE, seed=day, seconds=3.6, frames_per_second=10, width=360, height=480
        )
        frames = simulate_scan(real_photo("astronaut"), settings)
        taken = [
            Picture(encode_jpeg(one.pixels, quality=80), round(one.capture_time * 1e6), 360, 480)
            for one in frames
        ]
        upload = await live.upload(policy="plain", subject_reference="daily")
        stream = await RawDevice(live.device, upload).open()
        await stream.run_attempt(taken)
        await stream.outcome()
        await live.unattended()
        result = (await live.finish(upload.check_id)).result
        assert result.status == _SUCCESS
        assert _memory(result, "memory.frames").reason == "FRAMES_NEW"
        assert _memory(result, "memory.similarity").reason == "MOVES_ANEW"
