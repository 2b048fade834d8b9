import cv2
import numpy as np
import pytest

from cli.demo.stage import FRAMES_PER_SECOND, Stage, open_stage
from cli.errors import CommandError
from tests.cli.demo.builders import scenario
from tests.packs import real_pack
from vision.face import BgrImage


@pytest.fixture(scope="module")
def stage() -> Stage:
    return open_stage(frozenset({"astronaut"}))


def decoded(jpeg: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def eye_distance(jpeg: bytes) -> float:
    (face,) = real_pack().detector.detect(decoded(jpeg))
    return face.eye_distance


@pytest.mark.slow
def test_portraits_have_the_eyes_that_the_scenario_wants(stage: Stage) -> None:
    assert eye_distance(stage.portrait(scenario("same-person"))) >= 90
    assert eye_distance(stage.portrait(scenario("eyes-too-close"))) == pytest.approx(60, abs=4)


def test_a_scenario_without_a_scan_has_none(stage: Stage) -> None:
    assert stage.scan(scenario("eyes-too-close")) is None


def test_a_flash_has_a_phone_and_nothing_else_has_one(stage: Stage) -> None:
    assert stage.phone(scenario("same-person")) is None
    assert stage.phone(scenario("eyes-too-close")) is None
    assert stage.scan(scenario("flash-print")) is None
    phone = stage.phone(scenario("flash-print"))
    assert phone is not None
    assert "print" in phone.camera.label


def test_a_scan_is_rendered_ahead_and_goes_on(stage: Stage) -> None:
    shares: list[float] = []
    scan = stage.scan(scenario("frozen-frame"), progress=shares.append)
    assert scan is not None
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    ahead = len(shares)
    frames = [next(scan.frames) for _ in range(ahead + 3)]
    times = [time for _, time in frames]
    assert times == sorted(set(times))
    assert times[-1] - times[0] == pytest.approx((ahead + 2) / FRAMES_PER_SECOND, abs=0.1)
    assert decoded(frames[0][0]).shape == (640, 480, 3)
    assert len(scan.strip) == 6
    assert all(decoded(picture).shape == (240, 180, 3) for picture in scan.strip)


def test_an_unknown_photo_is_reported() -> None:
    with pytest.raises(CommandError, match="nobody"):
        open_stage(frozenset({"nobody"}))
