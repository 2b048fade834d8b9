"""Rendered flashes, recorded and measured again: the curves are those of the rendered light."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from facegate.v1 import result_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration

from cli.demo.flash import TapedPhone, flash_strip
from cli.demo.flash.measure import trace_flash
from cli.demo.flash.tape import TapedAttempt, TapedFrame
from liveness.dynamic.model import load_flash_model
from simulator import (
    AmbientPreset,
    AmbientSettings,
    FlashKind,
    FlashScanSettings,
    Photo,
    ScreenLight,
    simulate_flash_scan,
)
from simulator.phone import phone_in_hand
from tests.packs import real_pack, real_photo
from vision.image import encode_jpeg

_COLOURS = ((199, 199, 199), (255, 108, 108), (108, 255, 108), (108, 108, 255), (255, 255, 255))
_HOLD = 9
_RATE = 15.0


@pytest.fixture(scope="module")
def photo() -> Photo:
    return real_photo("astronaut")


def _settings(kind: FlashKind) -> FlashScanSettings:
    return FlashScanSettings(
        kind=kind,
        seed=3,
        frames_per_second=_RATE,
        width=360,
        height=480,
        ambient=AmbientSettings(preset=AmbientPreset.DARK),
    )


def _step(number: int, colour: tuple[int, int, int]) -> scan_pb2.FlashStep:
    red, green, blue = colour
    return scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=red, green=green, blue=blue),
        minimum_hold=Duration(nanos=350_000_000),
    )


def _taped(photo: Photo, kind: FlashKind, *, first: int = 1) -> TapedAttempt:
    """A scan that shows one colour after the other, without any clock."""
    settings = _settings(kind)
    light = ScreenLight(settings.phone, seed=settings.seed)
    attempt = TapedAttempt(steps=[_step(first + place, colour) for place, colour in enumerate(_COLOURS)])
    for index, frame in enumerate(simulate_flash_scan(photo, settings, light)):
        if index % _HOLD == 0:
            if index // _HOLD == len(_COLOURS):
                break
            light.show(_COLOURS[index // _HOLD], at=frame.capture_time)
        number, since = light.appeared(frame.capture_time)
        attempt.frames.append(
            TapedFrame(
                jpeg=encode_jpeg(frame.pixels, quality=85),
                time=frame.capture_time,
                step=first - 1 + number if number else 0,
                since=since if number else None,
                exposure=None,
            )
        )
    return attempt


@pytest.mark.slow
def test_a_face_follows_the_expected_light_and_a_clean_video_does_not(photo: Photo) -> None:
    likeness = {}
    for kind in (FlashKind.GENUINE, FlashKind.INJECTED_VIDEO):
        trace = trace_flash(
            _taped(photo, kind), find_faces=real_pack().detector.detect, model=load_flash_model()
        )
        assert [one.step.number for one in trace.shown] == [1, 2, 3, 4, 5]
        assert trace.curves is not None
        face, expected = trace.curves.face.ravel(), trace.curves.expected.ravel()
        likeness[kind] = float(np.corrcoef(face, expected)[0, 1])
        if kind is FlashKind.GENUINE:
            assert trace.curves.lag is not None
            assert float(np.abs(trace.curves.face).max()) > 0.1
    assert likeness[FlashKind.GENUINE] > 0.9
    assert likeness[FlashKind.INJECTED_VIDEO] < 0.5


@pytest.mark.slow
def test_a_strip_shows_the_deciding_attempt_with_the_servers_word(photo: Photo) -> None:
    attempts = [TapedAttempt(steps=[_step(1, _COLOURS[0])]), _taped(photo, FlashKind.GENUINE, first=4)]
    said = [
        result_pb2.ChallengeStep(
            step=4 + place, drawn_bits=0.0 if place == 0 else 3.0, agrees=True, signal_to_noise=place
        )
        for place in range(4)
    ]
    strip = flash_strip(attempts, said, find_faces=real_pack().detector.detect, model=load_flash_model())
    assert strip is not None
    assert [column.number for column in strip.columns] == [4, 5, 6, 7, 8]
    assert [column.colour for column in strip.columns] == list(_COLOURS)
    assert [column.proves for column in strip.columns] == [False, True, True, True, False]
    assert [column.agrees for column in strip.columns] == [True] * 4 + [None]
    assert [column.signal_to_noise for column in strip.columns] == [0, 1, 2, 3, None]
    assert all(column.crop is not None for column in strip.columns)
    assert all(later.since == column.until for column, later in zip(strip.columns, strip.columns[1:]))  # noqa: B905


def test_colours_that_were_never_shown_are_not_drawn() -> None:
    said = [result_pb2.ChallengeStep(step=1, drawn_bits=3.0)]
    assert flash_strip([], said, find_faces=lambda image: (), model=load_flash_model()) is None
    taped = TapedAttempt(steps=[_step(1, _COLOURS[0])])
    frame = TapedFrame(
        jpeg=encode_jpeg(np.zeros((48, 36, 3), np.uint8), quality=80),
        time=1.0,
        step=0,
        since=None,
        exposure=None,
    )
    taped.frames.append(frame)
    assert flash_strip([taped], said, find_faces=lambda image: (), model=load_flash_model()) is None
    taped.frames.append(replace(frame, time=2.0, step=1, since=1.9))
    strip = flash_strip([taped], said, find_faces=lambda image: (), model=load_flash_model())
    assert strip is not None
    assert strip.curves is None
    assert strip.columns[0].crop is None


async def test_a_phone_on_tape_keeps_each_attempt(photo: Photo) -> None:
    settings = replace(_settings(FlashKind.INJECTED_VIDEO), width=160, height=212, seconds=2.0)
    held = await asyncio.to_thread(phone_in_hand, photo, settings)
    phone = TapedPhone(held)
    for number in (1, 2):
        phone.begin_attempt()
        phone.show_step(_step(number, _COLOURS[number]))
        images = [await anext(phone) for _ in range(5)]
        phone.restore()
        attempt = phone.attempts[-1]
        assert [frame.jpeg for frame in attempt.frames] == [image.image for image in images]
        assert [frame.time * 1e6 for frame in attempt.frames] == pytest.approx(
            [image.capture_time_us for image in images]
        )
        assert [step.step for step in attempt.steps] == [number]
        assert attempt.frames[-1].step == number
        assert attempt.frames[-1].exposure is not None
    assert len(phone.attempts) == 2
    assert (phone.pace, phone.camera) == (held.pace, held.camera)
    assert phone.capabilities == held.capabilities
    assert phone.profile == held.profile
    await phone.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(phone)
