import base64

import cv2
import numpy as np

from cli.demo.runner import recorded
from cli.try_.attacks import film_document
from vision.image import encode_jpeg


def _frame(grey: int) -> bytes:
    return encode_jpeg(np.full((640, 480, 3), grey, np.uint8), quality=90)


def test_a_film_has_at_most_24_frames_in_order() -> None:
    film = film_document([_frame(grey) for grey in range(0, 250, 5)])
    assert film is not None
    assert (film["frames"], film["width"], film["height"]) == (24, 240, 320)
    jpeg = base64.b64decode(film["image"].partition(",")[2])
    sheet = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    assert sheet.shape == (320, 24 * 240)
    greys = sheet[160, 120::240].astype(int)
    assert (np.diff(greys) > 5).all()
    assert greys[0] < 5
    assert greys[-1] > 240


def test_a_scan_without_frames_has_no_film() -> None:
    assert film_document([]) is None


def test_the_recorder_keeps_what_was_taken() -> None:
    sent: list[bytes] = []
    frames = recorded(iter([(b"one", 0.0), (b"two", 0.1), (b"three", 0.2)]), sent)
    assert [next(frames), next(frames)] == [(b"one", 0.0), (b"two", 0.1)]
    assert sent == [b"one", b"two"]
