"""Files behind public bug reports (``data/reported``): read as viewers show them, or refused by name.

Those of the chart are in ``tests/helm/test_refusals.py``.
"""

from pathlib import Path

import av
import numpy as np
import pytest

from formats.errors import ImageFault
from formats.image_format import ImageFormat
from tests.vision.decoders import decode_video, decoders
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image
from vision.isolation.video import VideoLimits, detect_container


@pytest.fixture(scope="module")
def reported(assets: Path) -> Path:
    folder = assets / "data" / "reported"
    if not folder.is_dir():
        pytest.skip(f"no reported files: {folder} is absent")
    return folder


def _read(file: Path) -> BgrImage:
    return decode_image(
        file.read_bytes(),
        limits=DecodeLimits(max_bytes=1 << 20, max_pixels=1 << 20, max_side=1024),
        formats=frozenset(ImageFormat),
        honour_exif_orientation=True,
        still_decoder=decoders(),
    ).pixels


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("k1_two_zero_bytes_between_segments.jpg", 4),
        ("k2_65_marks_behind_the_end.jpg", 4),
        ("k5_exif_6_then_1.jpg", 4),
        ("k6_components_bgr_with_cdef.jp2", 0),
    ],
)
def test_an_unusual_picture_is_read_as_viewers_show_it(reported: Path, name: str, tolerance: int) -> None:
    expected = _read(reported / "expected.png").astype(int)
    assert np.abs(_read(reported / name) - expected).max() <= tolerance


def test_one_component_that_is_declared_as_colour_is_grey(reported: Path) -> None:
    shown = _read(reported / "k6_one_component_declared_srgb.jp2")
    expected = _read(reported / "expected.png")
    assert shown.shape == expected.shape
    assert np.ptp(shown, axis=2).max() == 0
    assert np.corrcoef(shown[..., 0].ravel(), expected.mean(axis=2).ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("k3.heic", ImageFault.UNSUPPORTED_FORMAT),
        ("k4_cut_at_40_percent_and_closed.jpg", ImageFault.MALFORMED),
    ],
)
def test_what_is_no_whole_picture_is_refused(reported: Path, name: str, reason: ImageFault) -> None:
    with pytest.raises(ImageError) as refused:
        _read(reported / name)
    assert refused.value.reason is reason


def test_a_heic_picture_is_no_video(reported: Path) -> None:
    assert detect_container((reported / "k3.heic").read_bytes()) is None


def test_a_mirroring_matrix_turns_left_and_right(reported: Path) -> None:
    file = reported / "k7_mirrored.mp4"
    with av.open(str(file)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    shown = decode_video(decoders(), file.read_bytes(), limits=VideoLimits()).frames[0]
    assert np.abs(shown - stored[:, ::-1]).mean() < 4 < np.abs(shown - stored).mean()


def test_frames_of_the_usual_size_are_used(reported: Path) -> None:
    shown = decode_video(decoders(), (reported / "k8_starts_small.webm").read_bytes(), limits=VideoLimits())
    assert {frame.shape for frame in shown.frames} == {(180, 320, 3)}
    assert shown.other_size > 0
