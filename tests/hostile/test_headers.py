"""Any declared header gives a header or an ImageUnreadable, and no memory is allocated beyond the limits."""

import tracemalloc

from hypothesis import HealthCheck, given, settings

from formats.errors import ImageFault, ImageUnreadable
from formats.exif import read_orientation
from formats.image_header import detect_format, parse_header
from tests.formats.samples import jpeg_head, jpeg_segment
from tests.hostile.decoding import LIMITS, decode, measured
from tests.hostile.strategies import exif_blocks, headers
from vision.errors import ImageError

_PARSING_BYTES = 100_000
_DECODING_BYTES = 500_000_000
"""A multiple of the largest image within the limits; each file here has less than a kilobyte."""
_REFUSED_BYTES = 20_000_000


@settings(max_examples=250, deadline=None)
@given(headers())
def test_any_declaration_gives_a_header_or_an_image_error(data: bytes) -> None:
    reason: ImageFault | None = None
    tracemalloc.start()
    try:
        header = parse_header(data)
    except ImageUnreadable as error:
        reason = error.reason
    else:
        assert header.format is detect_format(data)
        assert header.width > 0
        assert header.height > 0
        assert header.channels in range(1, 5)
        assert header.orientation in range(1, 9)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert reason in {None, ImageFault.MALFORMED, ImageFault.UNSUPPORTED_FORMAT, ImageFault.ANIMATED}
    assert peak < _PARSING_BYTES


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers())
def test_nothing_beyond_the_limits_is_allocated(data: bytes) -> None:
    with measured() as cost:
        try:
            pixels = decode(data).pixels
        except ImageError as error:
            beyond = error.reason is not ImageFault.MALFORMED
        else:
            beyond = False
            assert pixels.shape[0] * pixels.shape[1] <= LIMITS.max_pixels
            assert max(pixels.shape[:2]) <= LIMITS.max_side
    assert cost.bytes < (_REFUSED_BYTES if beyond else _DECODING_BYTES)


@given(exif_blocks())
def test_any_exif_gives_an_orientation(block: bytes) -> None:
    orientation = read_orientation(block)
    assert orientation in range(1, 9)
    stored = jpeg_head(8, 8)
    header = parse_header(stored[:2] + jpeg_segment(0xE1, b"Exif\0\0" + block) + stored[2:])
    assert header.orientation == orientation
