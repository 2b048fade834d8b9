"""Measures of pixels: light, colour, detail and background, and the aligned face that they look at."""

import io
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage.color import rgb2xyz

from matcher.conformance.background import (
    PART_COLUMNS,
    PART_ROWS,
    PART_SIZE,
    background_mask,
    background_uniformity,
)
from matcher.conformance.detail import compression_artifacts, mean_luma_step, sharpness
from matcher.conformance.face_region import (
    ALIGNED_EYE_DISTANCE,
    ALIGNED_SIDE,
    AlignedFace,
    aligned_face,
    face_crop,
    luminance_histogram,
    luminance_image,
)
from matcher.conformance.interface import Assess, sigmoid_score
from matcher.conformance.light import (
    dynamic_range,
    illumination_uniformity,
    luminance_mean,
    luminance_variance,
    natural_colour,
    over_exposure_prevention,
    under_exposure_prevention,
)
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    SIDE,
    SKIN,
    drawn_face,
    expected_scores,
    measured,
    plain,
    portrait_of,
    refused,
    score,
    with_histogram,
)
from vision.face import BgrImage, Landmarks, Points


@pytest.mark.parametrize(
    ("measure", "colour", "native", "points"),
    [
        (illumination_uniformity, SKIN, 1.0, 100),
        (luminance_variance, SKIN, 0.0, 0),
        (under_exposure_prevention, (80, 80, 80), 1.0, 0),
        (under_exposure_prevention, (140, 140, 140), 0.0, 100),
        (over_exposure_prevention, (255, 255, 255), 1.0, 1),
        (over_exposure_prevention, (240, 240, 240), 0.0, 100),
        (dynamic_range, SKIN, 0.0, 0),
        (natural_colour, SKIN, 0.0, 100),
        (natural_colour, (128, 128, 128), 100.0, 0),
        (natural_colour, (200, 60, 40), 100.0, 0),
        (natural_colour, (60, 200, 40), 100.0, 0),
    ],
)
def test_pictures_of_one_colour(
    measure: Assess, colour: tuple[int, int, int], native: float, points: int
) -> None:
    portrait = portrait_of(plain(colour))
    assert measured(measure, portrait) == pytest.approx(native)
    assert score(measure, portrait) == points


@pytest.mark.parametrize(
    ("stored", "mean", "points"), [(0, 0.0, 2), (124, 51 / 255, 50), (188, 0.502, 99), (255, 1.0, 2)]
)
def test_the_mean_of_one_luminance(stored: int, mean: float, points: int) -> None:
    portrait = portrait_of(plain((stored,) * 3))
    assert measured(luminance_mean, portrait) == pytest.approx(mean, abs=0.002)
    assert score(luminance_mean, portrait) == pytest.approx(points, abs=1)


@pytest.mark.parametrize(
    ("measure", "shares", "native"),
    [
        # Half black and half white is the most variance there is.
        (luminance_variance, {0: 0.5, 255: 0.5}, 0.25),
        # Levels to 25 are dark, and those from 247 bright.
        (under_exposure_prevention, {0: 0.1, 25: 0.2, 26: 0.7}, 0.3),
        (over_exposure_prevention, {246: 0.7, 247: 0.2, 255: 0.1}, 0.3),
        *((dynamic_range, dict.fromkeys(range(2**bits), 1 / 2**bits), bits) for bits in (1, 4, 8)),
    ],
)
def test_shares_of_luminances(measure: Assess, shares: dict[int, float], native: float) -> None:
    assert measured(measure, with_histogram(shares)) == pytest.approx(native)


def test_a_half_shaded_face_scores_low() -> None:
    image = plain()
    image[:, :308] //= 2
    assert measured(illumination_uniformity, portrait_of(image)) == 0
    assert score(illumination_uniformity, portrait_of(image)) == 0


def standards_score(distance: float) -> int:
    return round(200 * (1 - sigmoid_score(distance, x0=0, w=10) / 100))


class TestNaturalColour:
    @pytest.mark.parametrize(
        "rgb",
        [(205, 165, 140), (230, 120, 70), (250, 160, 60), (160, 150, 140), (255, 90, 90), (170, 150, 140)],
    )
    def test_the_distance_to_skin_as_a_colour_management_library_sees_it(
        self, rgb: tuple[int, int, int]
    ) -> None:
        """Its L*a*b* is under D50, as the standard's, in whole numbers."""
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        converted = ImageCms.applyTransform(Image.new("RGB", (1, 1), rgb), to_lab)
        assert converted is not None
        # Signed bytes, which Pillow shows without their sign.
        a, b = np.array(converted, dtype=np.uint8)[0, 0, 1:].astype(np.int8).astype(int)
        distance = math.hypot(max(0, 5 - a, a - 25), max(0, 5 - b, b - 35))
        assert measured(natural_colour, portrait_of(plain(rgb[::-1]))) == pytest.approx(distance, abs=0.8)

    def test_scores_as_ofiq_does(self, assets: Path) -> None:
        for distance, points in expected_scores(assets, "NaturalColour"):
            assert standards_score(distance) == points
        for colour in (SKIN, (60, 120, 230), (140, 150, 160), (90, 90, 255), (128, 128, 128)):
            portrait = portrait_of(plain(colour))
            assert score(natural_colour, portrait) == standards_score(measured(natural_colour, portrait))


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


def mask_of(image: BgrImage, five_points: NDArray[np.float32] = FIVE_POINTS) -> NDArray[np.uint8]:
    face = aligned(image, five_points)
    part = cv2.resize(face.image[PART_ROWS, PART_COLUMNS], PART_SIZE).astype(np.uint8)
    mask = background_mask(image, face, part=part)
    assert mask.shape == (PART_SIZE[1], PART_SIZE[0])
    assert set(np.unique(mask)) <= {0, 1}
    return mask


def haired(background: tuple[int, int, int]) -> BgrImage:
    """A head with hair that stands out far beyond an average head."""
    image = plain(background)
    cv2.ellipse(image, (308, 290), (215, 260), 0, 0, 360, (30, 45, 60), cv2.FILLED)
    cv2.ellipse(image, (308, 330), (130, 160), 0, 0, 360, (140, 165, 205), cv2.FILLED)
    texture = np.random.default_rng(4).normal(0, 6, (SIDE, SIDE, 1))
    return np.clip(image + texture, 0, 255).astype(np.uint8)


def on_part(image: BgrImage, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    part = cv2.resize(image[PART_ROWS, PART_COLUMNS], PART_SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(np.abs(part.astype(int) - colour).max(axis=2) < 40, dtype=np.bool_)


class TestMask:
    @pytest.mark.parametrize("background", [(200, 200, 200), (180, 90, 40), (60, 130, 60)])
    def test_hair_is_distinguished_from_the_background_by_its_colour(
        self, background: tuple[int, int, int]
    ) -> None:
        image = haired(background)
        mask, hair = mask_of(image) > 0, on_part(image, (30, 45, 60))
        assert (mask & hair).sum() < 0.01 * hair.sum()
        assert (mask & on_part(image, background)).sum() > 0.5 * on_part(image, background).sum()

    def test_hair_of_the_backgrounds_colour_leaves_the_average_head(self) -> None:
        mask = mask_of(haired((30, 45, 60)))
        assert mask.mean() > 0.2
        middle = round((308 - PART_COLUMNS.start) * PART_SIZE[0] / 492)
        assert not mask[120:, middle - 80 : middle + 80].any()

    def test_outside_the_portrait_is_no_background(self) -> None:
        """A portrait that ends beside the ears, above the hair and below the chin."""
        image = drawn_face()[60:560, 130:490]
        assert mask_of(image, FIVE_POINTS - (130, 60)).mean() < 0.12
        assert not mask_of(image, FIVE_POINTS - (130, 60))[:40].any()

    def test_the_same_picture_always_gives_the_same_mask(self) -> None:
        image = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        cv2.setRNGSeed(1)
        first = mask_of(image)
        cv2.setRNGSeed(99)
        assert np.array_equal(mask_of(image), first)

    @pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
    def test_an_image_of_one_colour_raises_no_error(self, colour: tuple[int, int, int]) -> None:
        mask_of(plain(colour))


def _before(background: BgrImage) -> BgrImage:
    """The drawn face before a background."""
    face = drawn_face(background=(0, 255, 0))
    outside = (face.astype(int) - (0, 255, 0)).__abs__().max(axis=2) < 60
    return np.where(outside[..., None], background, face).astype(np.uint8)


def gradient_score(gradient: float) -> int:
    return round(190 * (1 - sigmoid_score(gradient, x0=10, w=100) / 100))


class TestUniformity:
    def test_a_plain_wall_scores_high(self) -> None:
        portrait = portrait_of(_before(plain((200, 200, 200))))
        assert measured(background_uniformity, portrait) < 5
        assert score(background_uniformity, portrait) >= 97

    def test_a_slope_of_luminance_has_its_own_slope(self) -> None:
        """16 times the step from column to column, the weight of a Scharr filter over two columns."""
        stored = np.linspace(120, 255, SIDE)
        luminance = ((stored / 255 + 0.055) / 1.055) ** 2.4 * 255
        steps = np.abs(np.diff(luminance)).mean() * SIDE / (SIDE * 354 / 492)
        image = _before(np.repeat(np.repeat(stored[None, :, None], SIDE, 0), 3, 2).astype(np.uint8))
        assert measured(background_uniformity, portrait_of(image)) == pytest.approx(32 * steps, rel=0.25)

    def test_a_busier_background_scores_lower(self) -> None:
        ladder = []
        for contrast in (0, 15, 40, 90):
            noise = np.random.default_rng(5).integers(-contrast, contrast + 1, (SIDE // 11, SIDE // 11, 1))
            pattern = cv2.resize(
                (150 + noise).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST
            )
            ladder.append(
                score(background_uniformity, portrait_of(_before(np.repeat(pattern[..., None], 3, 2))))
            )
        assert ladder == sorted(ladder, reverse=True)
        assert ladder[0] > 90
        assert ladder[-1] < 40

    def test_the_face_plays_no_part(self) -> None:
        noisy = _before(plain((200, 200, 200)))
        noisy[240:480, 200:416] = np.random.default_rng(6).integers(0, 256, (240, 216, 3))
        assert measured(background_uniformity, portrait_of(noisy)) < 5

    def test_a_picture_that_is_all_face(self) -> None:
        image = np.ascontiguousarray(drawn_face()[200:500, 190:426])
        portrait = portrait_of(image, five_points=portrait_of(plain()).face.five_points - (190, 200))
        assert "beside the head" in refused(background_uniformity(portrait))

    def test_scores_as_ofiq_does(self, assets: Path) -> None:
        for gradient, points in expected_scores(assets, "BackgroundUniformity"):
            assert gradient_score(gradient) == points
        noise = np.random.default_rng(8).integers(120, 200, (SIDE, SIDE, 1)).repeat(3, 2).astype(np.uint8)
        for background in (plain((90, 90, 90)), cv2.blur(noise, (9, 9)).astype(np.uint8), noise):
            portrait = portrait_of(_before(background))
            assert score(background_uniformity, portrait) == gradient_score(
                measured(background_uniformity, portrait)
            )


def aligned(image: BgrImage, five_points: Points = FIVE_POINTS) -> AlignedFace:
    face = aligned_face(image, five_points=five_points, landmarks=None)
    assert face is not None
    return face


def test_a_face_in_its_place_stays_there() -> None:
    image = drawn_face()
    face = aligned(image)
    assert face.transform == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=1e-4)
    seen = np.s_[0:480, 62:554]
    assert np.array_equal(face.image[seen], image[seen])


@pytest.mark.parametrize(("scale", "degrees"), [(0.5, 0), (3.0, 0), (1.0, 15), (2.0, -30)])
def test_the_eyes_come_to_their_place(scale: float, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((308, 308), degrees, scale)
    points = (FIVE_POINTS @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    face = aligned(drawn_face(), five_points=points)
    placed = points @ face.transform[:, :2].T + face.transform[:, 2]
    assert placed == pytest.approx(FIVE_POINTS, abs=0.05)
    assert np.linalg.norm(placed[1] - placed[0]) == pytest.approx(ALIGNED_EYE_DISTANCE, abs=0.05)


def test_the_mask_is_the_hull_of_the_landmarks() -> None:
    points = np.full((68, 2), 308.0, dtype=np.float32)
    points[[36, 39, 42, 45]] = [(231, 272), (271, 272), (344, 272), (384, 272)]
    points[30], points[48], points[54] = (308, 336), (262, 402), (355, 402)
    points[0], points[16], points[8] = (180, 250), (436, 250), (308, 500)
    face = aligned_face(plain(), five_points=FIVE_POINTS, landmarks=Landmarks(points, "ibug68"))
    assert face is not None
    assert (face.face_box.left, face.face_box.top) == pytest.approx((180, 250), abs=2)
    assert (face.face_box.right, face.face_box.bottom) == pytest.approx((437, 501), abs=2)
    assert face.mask.sum() == pytest.approx(256 * 250 / 2, rel=0.03)
    assert face.histogram.sum() == pytest.approx(1)


def test_the_cheeks_are_squares_below_the_eyes_beside_the_nose() -> None:
    image = plain((0, 0, 0))
    side, top = 33, 272 + 65
    image[top : top + side, 251 : 251 + side] = (10, 20, 30)
    image[top : top + side, 364 - side : 364] = (40, 50, 60)
    face = aligned(image)
    assert face.cheeks.shape == (2, side, side, 3)
    assert face.cheeks[0].reshape(-1, 3).mean(axis=0) == pytest.approx([10, 20, 30], abs=1)
    assert face.cheeks[1].reshape(-1, 3).mean(axis=0) == pytest.approx([40, 50, 60], abs=2)


def test_outside_the_portrait_is_black() -> None:
    face = aligned(plain(side=300))
    assert face.image[299, 299].any()
    assert not face.image[310:, :].any()


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan), FIVE_POINTS * 1e7])
def test_points_that_are_no_face_give_none(points: np.typing.NDArray[np.float32]) -> None:
    assert aligned_face(plain(), five_points=points.astype(np.float32), landmarks=None) is None


coordinate = st.floats(-3e4, 3e4, width=32)


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(coordinate, coordinate), min_size=5, max_size=5),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_points_in_any_picture(points: list[tuple[float, float]], size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, dtype=np.uint8)
    face = aligned_face(image, five_points=np.array(points, dtype=np.float32), landmarks=None)
    if face is not None:
        assert face.image.shape == (ALIGNED_SIDE, ALIGNED_SIDE, 3)
        assert face.histogram.sum() == pytest.approx(1)


@pytest.mark.parametrize("times", [3, 5, 8])
def test_a_large_picture_gives_the_face_of_a_small_one(times: int) -> None:
    """No pixel is skipped or shifted, whatever the number of halvings before."""
    image = cv2.GaussianBlur(drawn_face(), (0, 0), 2).astype(np.uint8)
    large = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    # Pixel centres lie at whole numbers.
    points = FIVE_POINTS * np.float32(times) + np.float32((times - 1) / 2)
    small_face = aligned_face(image, five_points=FIVE_POINTS, landmarks=None)
    large_face = aligned_face(large, five_points=points, landmarks=None)
    assert small_face is not None
    assert large_face is not None
    difference = np.abs(small_face.image.astype(int) - large_face.image.astype(int))[60:560, 60:560]
    assert float(difference.mean()) < 0.5
    assert int(np.percentile(difference, 99)) <= 4


class TestLuminance:
    def test_agrees_with_another_implementation(self) -> None:
        image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        y = rgb2xyz(image[..., ::-1])[..., 1] * 255
        assert np.abs(luminance_image(image) - y).max() < 0.6

    def test_an_empty_mask_has_no_luminance(self) -> None:
        assert luminance_image(np.zeros((0, 4, 3), dtype=np.uint8)).shape == (0, 4)
        assert luminance_histogram(np.zeros((0, 4), dtype=np.uint8)).sum() == 0

    def test_the_histogram_counts_only_masked_pixels(self) -> None:
        luminance = np.array([[0, 7], [7, 255]], dtype=np.uint8)
        histogram = luminance_histogram(luminance, np.array([[0, 1], [1, 1]], dtype=np.uint8))
        assert histogram[7] == pytest.approx(2 / 3)
        assert histogram[255] == pytest.approx(1 / 3)
        assert histogram.sum() == pytest.approx(1)
        assert luminance_histogram(luminance)[0] == pytest.approx(1 / 4)


class TestFaceCrop:
    def test_cuts_the_face_out_of_the_portraits_own_pixels(self) -> None:
        image = np.random.default_rng(0).integers(0, 256, (1300, 1300, 3), dtype=np.uint8)
        face = aligned(image, five_points=FIVE_POINTS * 2)
        crop = face_crop(image, face)
        assert crop is not None
        assert abs(crop.reduction - 0.5) < 1e-3
        height, width = crop.pixels.shape[:2]
        assert np.array_equal(crop.pixels, image[crop.top : crop.top + height, crop.left : crop.left + width])
        # Brows to chin and cheek to cheek of the average face, twice its size.
        assert abs(crop.left - 2 * 178) <= 3
        assert abs(crop.top - 2 * 229) <= 3
        assert abs(width - 2 * 261) <= 6
        assert abs(height - 2 * 262) <= 6

    def test_stops_where_the_portrait_does(self) -> None:
        face = aligned(plain(side=300))
        crop = face_crop(plain(side=300), face)
        assert crop is not None
        assert crop.pixels.shape[:2] == (300 - crop.top, 300 - crop.left)

    def test_no_pixel_of_the_face_no_crop(self) -> None:
        face = aligned(plain(side=100))
        assert face_crop(plain(side=100), face) is None
