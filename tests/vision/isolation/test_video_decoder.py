"""Films are decoded as a player shows them."""

from fractions import Fraction
from typing import Literal

import numpy as np
import pytest

from tests.films import MATRICES, corner_card, film, hdr_film, resized_film, seen_through
from tests.vision.decoders import VideoFrames, decode_video, decoders
from vision.face import BgrImage
from vision.isolation.video import VideoLimits


def decoded(data: bytes, **limits: int) -> VideoFrames:
    return decode_video(decoders(), data, limits=VideoLimits(**limits))


def difference(one: BgrImage, other: BgrImage) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize("name", MATRICES)
def test_every_display_matrix_is_undone(name: str, container: str) -> None:
    stored = corner_card()
    found = decoded(film(stored, container=container, matrix=MATRICES[name]))
    assert difference(found.frames[-1], seen_through(MATRICES[name], stored)) < 4


def test_a_matrix_of_nothing_turns_nothing() -> None:
    assert difference(decoded(film(corner_card(), matrix=(0, 0, 0, 0))).frames[0], corner_card()) < 4


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize(("before", "after"), [(8, 20), (20, 8), (3, 3)])
def test_the_usual_size_is_used(codec: str, before: int, after: int) -> None:
    data = resized_film([(corner_card(64, 48), before), (corner_card(96, 64), after)], codec=codec)
    found = decoded(data)
    small = before >= after
    assert {frame.shape for frame in found.frames} == {(48, 64, 3) if small else (64, 96, 3)}
    assert (found.decoded, found.other_size) == (before + after, after if small else before)
    assert len(found.frames) == (before if small else after)
    assert difference(found.frames[-1], corner_card(64, 48) if small else corner_card(96, 64)) < 8


def test_a_size_that_returns_counts_together() -> None:
    small, large = corner_card(64, 48), corner_card(96, 64)
    found = decoded(resized_film([(small, 6), (large, 10), (small, 6)]))
    assert (found.frames[0].shape, len(found.frames), found.other_size) == ((48, 64, 3), 12, 10)


@pytest.mark.parametrize(
    ("pixel", "size"),
    [
        (Fraction(4, 3), (128, 64)),
        (Fraction(16, 11), (139, 64)),
        (Fraction(1, 2), (96, 128)),
        (Fraction(1000), (96, 64)),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_pixels_become_square(container: str, pixel: Fraction, size: tuple[int, int]) -> None:
    found = decoded(film(corner_card(), container=container, pixel=pixel))
    assert found.frames[0].shape == (size[1], size[0], 3)
    assert difference(found.frames[0], corner_card(*size)) < 6


def test_square_pixels_of_a_film_on_its_side() -> None:
    found = decoded(film(corner_card(), pixel=Fraction(4, 3), matrix=MATRICES["90 degrees"]))
    assert difference(found.frames[0], seen_through(MATRICES["90 degrees"], corner_card(128, 64))) < 6


def test_wider_pixels_stay_within_the_limit() -> None:
    found = decoded(film(corner_card(), pixel=Fraction(4)), max_pixels=96 * 64)
    height, width = found.frames[0].shape[:2]
    assert width * height <= 96 * 64
    assert width / height == pytest.approx(6, rel=0.1)


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_hdr_is_shown_as_sdr(transfer: Literal["hlg", "pq"]) -> None:
    rows = np.repeat(np.repeat(np.random.default_rng(1).integers(10, 245, (4, 6, 3), np.uint8), 16, 0), 16, 1)
    found = decoded(hdr_film(rows, transfer)).frames[0]
    # Blocks of one colour: chroma is stored at half the size, so their edges differ.
    middle = (slice(8, None, 16), slice(8, None, 16))
    assert difference(found[middle], rows[middle]) < 6
    assert abs(found.mean() - rows.mean()) < 3


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_light_beyond_white_keeps_its_shape(transfer: Literal["hlg", "pq"]) -> None:
    ramp = np.repeat(np.repeat(np.linspace(60, 255, 8).astype(np.uint8), 16)[None, :, None], 64, 0)
    found = decoded(hdr_film(np.repeat(ramp, 3, 2), transfer, white=800)).frames[0][32, 8::16, 1]
    assert np.all(np.diff(found.astype(int)) >= 1)
    assert found[-1] >= 250
