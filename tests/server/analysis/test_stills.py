import io

import cv2
import numpy as np
import pytest
from PIL import Image

from server.analysis.results import AnalysisCode, AnalysisRefused
from server.analysis.stills import FRAME_LIMITS, SELFIE_LIMITS, decode_still
from server.base.errors import Reason, Refusal
from tests.formats.samples import png
from tests.hostile.decoding import decoders
from vision.errors import DecoderUnavailable
from vision.image import DecodeLimits


def _picture(format_: str) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(np.arange(96 * 64 * 3, dtype=np.uint32).reshape(64, 96, 3).astype(np.uint8)).save(
        stored, format_
    )
    return stored.getvalue()


def _refusal(content: bytes, limits: DecodeLimits = SELFIE_LIMITS, index: int | None = None) -> Refusal:
    with pytest.raises(AnalysisRefused) as caught:
        decode_still(content, limits=limits, still_decoder=decoders(), frame_index=index)
    assert caught.value.code is AnalysisCode.INVALID_REQUEST
    assert caught.value.details["code"] == "INVALID_REQUEST"
    return caught.value


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP"])
def test_every_format_of_the_contract_is_read(format_: str) -> None:
    decoded = decode_still(_picture(format_), limits=SELFIE_LIMITS, still_decoder=decoders())
    assert decoded.pixels.shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.IMAGE_EMPTY),
        (b"<svg/>", Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (b"data:image/jpeg;base64,/9j/4AAQ", Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (b"GIF89a" + bytes(100), Reason.IMAGE_FORMAT_NOT_SUPPORTED),
        (_picture("JPEG")[:300], Reason.IMAGE_MALFORMED),
        (png(20_000, 20_000), Reason.IMAGE_TOO_MANY_PIXELS),
        (b"\xff\xd8\xff" + bytes(10_000_000), Reason.IMAGE_TOO_LARGE),
    ],
    ids=["nothing", "svg", "base64", "gif", "cut off", "huge", "too many bytes"],
)
def test_an_unusable_still_is_refused_with_its_reason(content: bytes, reason: Reason) -> None:
    assert _refusal(content).reason is reason


def test_jpeg_2000_is_for_trusted_images_only() -> None:
    assert _refusal(_picture("JPEG2000")).reason is Reason.IMAGE_FORMAT_NOT_SUPPORTED


def test_a_still_frame_is_named_and_smaller_than_a_selfie() -> None:
    large = cv2.imencode(".jpg", np.zeros((2000, 2000, 3), np.uint8))[1].tobytes()
    decode_still(large, limits=SELFIE_LIMITS, still_decoder=None)
    refusal = _refusal(large, FRAME_LIMITS, 7)
    assert refusal.reason is Reason.IMAGE_TOO_MANY_PIXELS
    assert str(refusal).startswith("still frame 7: ")
    assert refusal.details["frameIndex"] == 7
    assert refusal.details["maxPixels"] == FRAME_LIMITS.max_pixels


def test_a_busy_decoder_is_no_fault_of_the_file() -> None:
    class Busy:
        def decode_still(self, data: bytes, *, header: object) -> np.ndarray:
            raise DecoderUnavailable("all are busy", retry_after=3.0)

    with pytest.raises(Refusal) as caught:
        decode_still(_picture("WEBP"), limits=SELFIE_LIMITS, still_decoder=Busy())
    assert (caught.value.reason, caught.value.retry_after) == (Reason.OVERLOADED, 3.0)
