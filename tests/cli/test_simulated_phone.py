"""A simulated phone as the client's camera and screen: colours are on the frames that say so."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration

from cli.simulated_phone import SimulatedPhone
from client import CapturedImage
from simulator import PhoneSettings, ScreenLight, SimulatedExposure, SimulatedFrame

_RATE = 50.0
_EXPOSURE = SimulatedExposure(
    exposure_seconds=0.01,
    iso=200,
    white_balance_kelvin=4000,
    rolling_shutter_seconds=0.02,
    exposure_locked=True,
    white_balance_locked=False,
)


class _Rendered:
    """Frames whose pixels are the light of the screen at the time of their capture."""

    def __init__(self, light: ScreenLight, count: int) -> None:
        self._light = light
        self._count = count

    def __iter__(self) -> Iterator[SimulatedFrame]:
        for index in range(self._count):
            time = index / _RATE
            band = self._light.bands(np.array([time]), bands=1)[0, 0]
            full = self._light.settings.luminance * self._light.settings.coverage
            pixels = np.full((8, 8, 3), np.round(255 * band / full), np.uint8)
            yield SimulatedFrame(pixels, time, _EXPOSURE)


def _phone(count: int = 200) -> SimulatedPhone:
    light = ScreenLight(
        PhoneSettings(latency_jitter_seconds=0.0, hidden_seconds=0.0, panel_seconds=0.0, idle_grey=0.0)
    )
    return SimulatedPhone(
        iter(_Rendered(light, count)),
        light,
        label="simulated",
        frames_per_second=_RATE,
        idle_colour=(0, 0, 0),
    )


def _step(number: int, level: int) -> scan_pb2.FlashStep:
    return scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=level, green=level, blue=level),
        minimum_hold=Duration(nanos=350_000_000),
    )


def _level(image: CapturedImage) -> int:
    assert isinstance(image.image, np.ndarray)
    return int(image.image[0, 0, 0])


async def test_a_colour_is_on_the_frames_that_say_so() -> None:
    phone = _phone()
    phone.begin_attempt()
    seen = []
    for index in range(60):
        if index == 10:
            phone.show_step(_step(4, 255))
        if index == 35:
            phone.show_step(_step(5, 128))
        image = await anext(phone)
        seen.append((image, phone.displayed(image.capture_time_us)))
    numbers = [shown.number for _, shown in seen]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 4, 5}
    for image, shown in seen:
        assert _level(image) == {0: 0, 4: 255, 5: 55}[shown.number]
        assert (shown.since_us > 0) is (shown.number > 0)
        assert shown.since_us <= image.capture_time_us
    # When a step appeared does not change once it was said.
    assert len({shown for _, shown in seen}) == 3
    times = [image.capture_time_us for image, _ in seen]
    assert all(later > time for time, later in pairwise(times))
    await phone.aclose()


async def test_the_screen_returns_to_normal_and_counts_no_step_for_it() -> None:
    phone = _phone()
    phone.begin_attempt()
    await anext(phone)
    phone.restore()
    phone.show_step(_step(1, 255))
    image = [await anext(phone) for _ in range(15)][-1]
    assert phone.displayed(image.capture_time_us).number == 1
    phone.restore()
    image = [await anext(phone) for _ in range(15)][-1]
    assert phone.displayed(image.capture_time_us).number == 0
    assert _level(image) == 0
    await phone.aclose()


async def test_a_second_attempt_goes_on_later_on_the_same_clock() -> None:
    phone = _phone(40)
    phone.begin_attempt()
    before = await anext(phone)
    phone.begin_attempt()
    after = await anext(phone)
    assert after.capture_time_us > before.capture_time_us
    images = [image async for image in phone]
    assert len(images) == 38
    await phone.aclose()
    await phone.aclose()


async def test_what_the_camera_did_and_the_screen_can_do_is_said() -> None:
    phone = _phone()
    assert phone.pace == "realtime"
    assert phone.camera.reports_exposure
    assert phone.capabilities == (scan_pb2.CAPABILITY_FLASH_SCROLL,)
    assert phone.profile.width_mm == 65
    phone.begin_attempt()
    exposure = (await anext(phone)).exposure
    assert exposure is not None
    assert (exposure.exposure_time_ns, exposure.iso, exposure.exposure_locked) == (10_000_000, 200, True)
    await phone.aclose()
