"""The benchmark's frames in the light of a screen."""

import cv2
import numpy as np
import pytest

from cli.bench.tinted_frames import TintedFrames, tinted

_GREY = np.full((16, 16, 3), 200, np.uint8)
_WHITE, _ORANGE = (255, 255, 255), (255, 128, 0)


def _mean(jpeg: bytes) -> list[float]:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return [float(value) for value in pixels.reshape(-1, 3).mean(axis=0)]


def test_a_colour_scales_its_channels() -> None:
    assert (tinted(_GREY, _WHITE) == 200).all()
    blue, green, red = tinted(_GREY, (255, 0, 128))[0, 0]
    assert red == 200
    assert green < blue < red
    assert (tinted(_GREY, None) == green).all()


def test_every_picture_is_there_in_every_colour_and_in_the_dark() -> None:
    darker = (_GREY // 2).astype(np.uint8)
    frames = TintedFrames([_GREY, darker], colours=[_WHITE, _ORANGE])
    assert len(frames) == 2
    assert _mean(frames.jpeg(0, _WHITE)) == pytest.approx([200.0] * 3, abs=2)
    assert _mean(frames.jpeg(1, _WHITE)) == pytest.approx([100.0] * 3, abs=2)
    blue, green, red = _mean(frames.jpeg(0, _ORANGE))
    assert blue < green < red
    assert _mean(frames.jpeg(0, None)) == pytest.approx([90.0] * 3, abs=2)
    for number, colour in ((2, _WHITE), (0, (1, 2, 3))):
        with pytest.raises(KeyError):
            frames.jpeg(number, colour)
