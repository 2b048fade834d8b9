import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from matcher.conformance.detail import compression_artifacts, mean_luma_step, sharpness
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    drawn_face,
    measured,
    plain,
    portrait_of,
    refused,
    score,
)
from vision.face import BgrImage


def blurred(image: BgrImage, sigma: float) -> BgrImage:
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8) if sigma else image


class TestSharpness:
    def test_more_blur_scores_lower(self) -> None:
        ladder = [
            measured(sharpness, portrait_of(blurred(drawn_face(), sigma))) for sigma in (0, 1, 1.6, 2, 3, 4)
        ]
        assert ladder == sorted(ladder, reverse=True)
        assert ladder[0] > 0.45
        assert ladder[-1] < 0.2

    @pytest.mark.parametrize("degrees", [0, 45, 90])
    def test_motion_in_any_direction_costs_score(self, degrees: int) -> None:
        streak = np.zeros((15, 15), np.float32)
        streak[7] = 1 / 15
        turned = cv2.warpAffine(streak, cv2.getRotationMatrix2D((7, 7), degrees, 1), (15, 15))
        still = drawn_face(texture=1)
        moved = cv2.filter2D(still, -1, turned / turned.sum()).astype(np.uint8)
        assert measured(sharpness, portrait_of(moved)) < 0.55 * measured(sharpness, portrait_of(still))
        assert score(sharpness, portrait_of(moved)) < score(sharpness, portrait_of(still))

    @pytest.mark.parametrize("factor", [2, 3, 5])
    @pytest.mark.parametrize("sigma", [0.0, 1.0, 2.5])
    def test_a_larger_face_measures_the_same(self, factor: int, sigma: float) -> None:
        """The blur counts in shares of the face, not in pixels."""
        small = blurred(drawn_face(), sigma)
        large = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        points = (FIVE_POINTS + 0.5) * factor - 0.5
        found = measured(sharpness, portrait_of(large, five_points=points))
        assert found == pytest.approx(measured(sharpness, portrait_of(small)), abs=0.06)

    def test_a_flat_picture_is_not_sharp(self) -> None:
        assert score(sharpness, portrait_of(plain())) <= 1

    def test_brightness_and_contrast_play_no_part(self) -> None:
        face = drawn_face()
        pale = (face // 2 + 60).astype(np.uint8)
        assert measured(sharpness, portrait_of(pale)) == pytest.approx(
            measured(sharpness, portrait_of(face)), abs=0.03
        )

    def test_a_face_outside_the_image_is_not_assessed(self) -> None:
        assert "outside" in refused(sharpness(portrait_of(plain(side=100))))


def jpeg(image: BgrImage, quality: int) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decoded(data: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


def jpeg2000(image: BgrImage, bits_per_pixel: float) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image[..., ::-1]).save(
        file, "JPEG2000", quality_mode="rates", quality_layers=[24 / bits_per_pixel], irreversible=True
    )
    return file.getvalue()


class TestCompressionArtifacts:
    def test_lower_jpeg_quality_scores_lower(self) -> None:
        files = [jpeg(drawn_face(), quality) for quality in (98, 90, 75, 50, 30, 15, 5)]
        scores = [score(compression_artifacts, portrait_of(decoded(data), encoded=data)) for data in files]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] >= 98
        assert scores[-1] <= 5

    def test_a_png_made_of_a_jpeg_shows_its_blocks(self) -> None:
        pictures = [decoded(jpeg(drawn_face(), quality)) for quality in (90, 50, 25, 10)]
        found = [measured(compression_artifacts, portrait_of(picture)) for picture in pictures]
        assert found == sorted(found, reverse=True)
        assert found[1] < 0.99
        assert found[-1] < 0.93

    def test_a_fine_jpeg_of_a_coarse_one_is_as_bad_as_the_coarse_one(self) -> None:
        coarse = decoded(jpeg(drawn_face(), 10))
        fine = jpeg(coarse, 98)
        assert measured(compression_artifacts, portrait_of(decoded(fine), encoded=fine)) < 0.93

    @pytest.mark.parametrize("shift", [(0, 3), (5, 0), (4, 4)])
    def test_the_blocks_are_found_wherever_the_picture_was_cut(self, shift: tuple[int, int]) -> None:
        coarse = decoded(jpeg(drawn_face(), 10))
        whole = measured(compression_artifacts, portrait_of(coarse))
        cut = np.ascontiguousarray(np.roll(coarse, shift, axis=(0, 1)))
        assert measured(compression_artifacts, portrait_of(cut)) == pytest.approx(whole, abs=0.02)

    def test_an_uncompressed_image_has_no_artefacts(self) -> None:
        assert measured(compression_artifacts, portrait_of(drawn_face())) == 1
        assert score(compression_artifacts, portrait_of(drawn_face())) == 100

    def test_a_rate_ladder_of_jpeg_2000(self) -> None:
        half = cv2.resize(drawn_face(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)
        files = [jpeg2000(half, bits) for bits in (4, 1, 0.3, 0.05)]
        points = (FIVE_POINTS / 2).astype(np.float32)
        scores = [
            score(compression_artifacts, portrait_of(half, five_points=points, encoded=data))
            for data in files
        ]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] >= 95
        assert scores[-1] <= 10

    def test_a_face_too_small_for_blocks_is_judged_by_its_file(self) -> None:
        data = jpeg(plain(side=60), 10)
        small = np.array([[20, 20], [40, 20], [30, 31], [22, 43], [38, 43]], np.float32)
        found = measured(compression_artifacts, portrait_of(decoded(data), five_points=small, encoded=data))
        assert found == pytest.approx(0.87, abs=0.02)

    def test_a_face_outside_the_image_is_not_assessed(self) -> None:
        assert "outside" in refused(compression_artifacts(portrait_of(plain(side=100))))


def jpeg_of_steps(quality: int, **options: bool | str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(drawn_face()).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


@pytest.mark.parametrize("quality", [1, 10, 50, 90, 100])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}])
def test_agrees_with_pillow(quality: int, options: dict[str, bool | str]) -> None:
    data = jpeg_of_steps(quality, **options)
    steps = Image.open(io.BytesIO(data)).quantization[0]  # type: ignore[attr-defined] # of JpegImageFile
    assert mean_luma_step(data) == pytest.approx(float(np.exp(np.log(steps).mean())))


def test_the_first_component_names_its_table() -> None:
    """Tables 0 and 1 change names, in the table segments and in the frame: the luma stays the luma."""
    data = jpeg_of_steps(50)
    first, second = (data.index(b"\xff\xdb\x00\x43" + bytes([identifier])) + 4 for identifier in (0, 1))
    frame = data.index(b"\xff\xc0") + 4 + 6
    renamed = bytearray(data)
    renamed[first], renamed[second] = 1, 0
    for component, table in enumerate((1, 0, 0)):
        renamed[frame + 3 * component + 2] = table
    assert mean_luma_step(bytes(renamed)) == mean_luma_step(data)


def test_sixteen_bit_steps() -> None:
    table = b"\xff\xdb" + (2 + 1 + 128).to_bytes(2, "big") + b"\x10" + (1000).to_bytes(2, "big") * 64
    frame = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    assert mean_luma_step(b"\xff\xd8" + table + frame + b"\xff\xda") == pytest.approx(1000)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"]
)
def test_anything_but_a_jpeg_has_no_step(data: bytes) -> None:
    assert mean_luma_step(data) is None


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 700), byte=st.integers(0, 699), value=st.integers(0, 255))
def test_damage_gives_a_step_or_none(cut: int, byte: int, value: int) -> None:
    data = bytearray(_JPEG[: max(2, cut)] if cut else _JPEG)
    if byte < len(data):
        data[byte] = value
    step = mean_luma_step(bytes(data))
    assert step is None or 1 <= step <= 65535


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(rest: bytes) -> None:
    step = mean_luma_step(b"\xff\xd8\xff" + rest)
    assert step is None or 1 <= step <= 65535


_JPEG = jpeg_of_steps(75)
