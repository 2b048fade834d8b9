import cv2
import numpy as np
import pytest

from evaluation.match.templates import PORTRAIT_SIZE, Degradation, degraded_portrait, portrait_of
from tests.evaluation.bench.packs import FACE
from vision.face import BgrImage


def scene(width: int = 640, height: int = 480) -> BgrImage:
    rng = np.random.default_rng(1)
    smooth = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), 6)
    return np.asarray(np.clip(128 + 50 * smooth / smooth.std(), 0, 255), np.uint8)


def marked(scale: float) -> tuple[BgrImage, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """A picture with a bright dot at each eye, the face turned."""
    image = np.zeros((480, 640, 3), np.uint8)
    eyes = np.array([[300.0, 200.0], [300.0 + 40.0 * scale, 200.0 + 15.0 * scale]], np.float32)
    for x, y in eyes:
        cv2.circle(image, (round(float(x)), round(float(y))), 3, (255, 255, 255), -1)
    return image, np.vstack([eyes, np.zeros((3, 2), np.float32)])


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_portrait_has_upright_eyes_a_hundred_pixels_apart(scale: float) -> None:
    image, points = marked(scale)
    face = type(FACE)(box=FACE.box, confidence=0.9, five_points=points)
    portrait = portrait_of(image, face)
    assert portrait.shape == (PORTRAIT_SIZE[1], PORTRAIT_SIZE[0], 3)
    luma = portrait[..., 0].astype(float)
    columns = np.arange(PORTRAIT_SIZE[0])
    left, right = (
        float((part.sum(axis=0) * at).sum() / part.sum())
        for part, at in ((luma[:, :206], columns[:206]), (luma[:, 206:], columns[206:]))
    )
    assert right - left == pytest.approx(100.0, abs=2.0)
    rows = (luma.sum(axis=1) * np.arange(PORTRAIT_SIZE[1])).sum() / luma.sum()
    assert rows == pytest.approx(239.0, abs=2.0)


@pytest.mark.parametrize("degradation", list(Degradation))
def test_a_degradation_is_the_same_again_and_keeps_the_size(degradation: Degradation) -> None:
    portrait = scene(*PORTRAIT_SIZE)
    once, again = (degraded_portrait(portrait, degradation) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.shape == portrait.shape
    assert (once == portrait).all() == (degradation is Degradation.CROP)
    # The person is still to be seen.
    likeness = np.corrcoef(once.mean(axis=2).ravel(), portrait.mean(axis=2).ravel())[0, 1]
    assert likeness > 0.8


def test_jpeg_2000_fits_a_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    decode = cv2.imdecode

    def measured(data: np.ndarray[tuple[int], np.dtype[np.uint8]], flags: int) -> object:
        sizes.append(data.size)
        return decode(data, flags)

    monkeypatch.setattr(cv2, "imdecode", measured)
    degraded_portrait(np.random.default_rng(1).integers(0, 256, (531, 413, 3), np.uint8), Degradation.JP2)
    assert 14_000 < sizes[0] <= 15_000


def test_grey_has_no_colour_and_faded_less_contrast() -> None:
    portrait = scene(*PORTRAIT_SIZE)
    grey = degraded_portrait(portrait, Degradation.GREY)
    assert (grey[..., 0] == grey[..., 2]).all()
    assert degraded_portrait(portrait, Degradation.FADED).std() < 0.7 * portrait.std()
