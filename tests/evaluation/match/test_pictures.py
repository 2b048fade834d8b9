from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.match.photos import read_picture
from vision.errors import ImageError, ImageFault
from vision.image import encode_jpeg

RAMP = (np.arange(30 * 20 * 3) % 251).astype(np.uint8).reshape(30, 20, 3)


def test_the_format_of_a_photo_does_not_depend_on_its_name(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(encode_jpeg(RAMP))
    assert read_picture(file, still_decoder=None).shape == (30, 20, 3)


@pytest.mark.parametrize(("suffix", "stored"), [(".pgm", RAMP[:, :, 0]), (".ppm", RAMP)])
def test_netpbm_files_are_read_as_opencv_reads_them(
    tmp_path: Path, suffix: str, stored: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    file = tmp_path / f"photo{suffix}"
    assert cv2.imwrite(str(file), stored)
    np.testing.assert_array_equal(
        read_picture(file, still_decoder=None), cv2.imread(str(file), cv2.IMREAD_COLOR)
    )


def test_a_comment_in_the_header_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "photo.pgm"
    file.write_bytes(b"P5\n# made by hand\n2 # width\n1\n255\n\x00\xff")
    assert read_picture(file, still_decoder=None).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"P5 20 30 255\nshort", ImageFault.MALFORMED),
        (b"P5 0 30 255\n", ImageFault.MALFORMED),
        (b"P5 2 1 65535\n" + bytes(4), ImageFault.MALFORMED),
        (b"P5 60000 60000 255\n", ImageFault.TOO_MANY_PIXELS),
        (b"no picture", ImageFault.UNSUPPORTED_FORMAT),
        (b"", ImageFault.EMPTY),
        (b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(30), ImageFault.MALFORMED),
    ],
)
def test_anything_but_an_image_is_refused(tmp_path: Path, content: bytes, fault: ImageFault) -> None:
    file = tmp_path / "photo"
    file.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_picture(file, still_decoder=None)
    assert caught.value.reason is fault


@given(st.binary(max_size=60))
def test_any_header_gives_a_picture_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("netpbm") / "photo"
    file.write_bytes(b"P5 " + content)
    try:
        picture = read_picture(file, still_decoder=None)
    except ImageError:
        return
    assert picture.ndim == 3
