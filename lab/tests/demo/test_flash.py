"""Rendered flashes, recorded and measured again: the curves are those of the rendered light."""

import asyncio
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from facegate.v1 import result_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration

from lab.demo.flash import FlashStrip, colours_figures, flash_strip, strip_picture
from lab.pages import render
from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    FlashKind,
    FlashScanSettings,
    Photo,
    ScreenLight,
    simulate_flash_scan,
)
from lab.simulator.phone import TapedAttempt, TapedFrame, TapedPhone
from lab.tests.demo.builders import strip
from liveness.dynamic.model import load_flash_model
from server.pages import Html
from server.pages.rendering import TEMPLATES
from tests.packs import real_pack, real_photo
from tests.server.pages.reading import Page
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
        strip = flash_strip(
            [_taped(photo, kind)],
            [result_pb2.ChallengeStep(step=1)],
            find_faces=real_pack().detector.detect,
            model=load_flash_model(),
        )
        assert strip is not None
        assert [column.number for column in strip.columns] == [1, 2, 3, 4, 5]
        curves = strip.curves
        assert curves is not None
        face, expected = curves.face.ravel(), curves.expected.ravel()
        likeness[kind] = float(np.corrcoef(face, expected)[0, 1])
        if kind is FlashKind.GENUINE:
            assert float(np.abs(curves.face).max()) > 0.1
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
    phone = await asyncio.to_thread(TapedPhone.in_hand, photo, settings)
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
    await phone.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(phone)


def drawn(flash: FlashStrip) -> Html:
    return Html(TEMPLATES.get_template("charts.svg").module.flash_strip(strip_picture(flash)))  # type: ignore[attr-defined]


class _Texts(HTMLParser):
    def __init__(self, drawing: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(drawing)

    def handle_data(self, data: str) -> None:
        self.found.append(data.strip())


def test_a_strip_shows_the_finding_of_the_server() -> None:
    markup = drawn(strip())
    assert "of 2 that were drawn at random the face answered 1, 0 were contradicted" in markup
    assert {"known", "no face", "9", "1"} <= set(_Texts(markup).found)
    hinted = re.findall(r'fill="(#[0-9a-f]{6})" class="swatch"><title>', markup)
    assert hinted == ["#c7c7c7", "#ff6c6c", "#6c6cff"]
    assert markup.count("<image ") == 2
    assert markup.count('class="curve expected"') == 4, "three curves and one in the legend"


def test_a_curve_is_broken_where_frames_are_missing() -> None:
    whole = strip()
    assert whole.curves is not None
    kept = np.r_[0:15, 25:40]
    curves = type(whole.curves)(
        times=whole.curves.times[kept],
        face=whole.curves.face[kept],
        background=None,
        expected=whole.curves.expected[kept],
    )
    *_, blue = strip_picture(FlashStrip(columns=whole.columns, curves=curves))["chart"]["rows"]
    drawn_runs = [(kind, len(points.split())) for kind, points in blue["curves"]]
    assert drawn_runs == [("blue", 15), ("blue", 15), ("expected", 15), ("expected", 15)]


def test_colours_without_the_light_show_the_face_and_the_finding() -> None:
    (figure,) = colours_figures(strip().columns)
    assert figure.drawing is not None
    first, second, third = figure.drawing[1]["columns"]
    assert (first["crop"] is None, third["crop"] is None) == (False, True)
    assert (second["hex"], second["agrees"]) == ("#ff6c6c", True)
    assert second["hint"].endswith("answered, signal to noise 9.4")
    assert "of 2 that were drawn at random the face answered 1" in figure.caption
    assert colours_figures(()) == []


def test_a_file_has_its_colours_and_refers_to_no_other_file() -> None:
    whole = render(
        "flash_file.svg",
        strip=strip_picture(strip()),
        title="A <mask>",
        outcome="SUCCESS: the attack passed",
        tone="warn",
    )
    page = Page(whole)
    assert page.open == []
    assert {link.partition(":")[0] for link in page.links} == {"data"}
    assert {"A <mask>", "SUCCESS: the attack passed"} <= set(_Texts(whole).found)
    assert set(re.findall(r"var\(--([a-z-]+)\)", whole)) <= set(re.findall(r"--([a-z-]+): #", whole))
