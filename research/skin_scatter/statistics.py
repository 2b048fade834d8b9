"""Statistics of how much finer the answer in blue is than in red.

Details are differences of two blurs over the coarser one, so that they hardly depend on exposure. Powers are
products of the two halves of a scan, whose noise is independent.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from research.skin_scatter.phone import Answer

__all__ = ["NAMES", "Measured", "details", "finer", "measure"]

Plane: TypeAlias = NDArray[np.float32]
_SCALES: Final = ((0.8, 1.6), (1.6, 3.2), (3.2, 6.4))
"""Standard deviations of the two blurs, millimetres: details of about 5, 10 and 20 mm."""
NAMES: Final = tuple(
    f"{what}, {size} mm"
    for what in ("alone", "over other light", "along the shape", "over other light, along the shape")
    for size in (5, 10, 20)
)
_LEAST: Final = 1e-9
_DARKEST: Final = 0.05
_SHADE: Final = 0.35


@dataclass(frozen=True, slots=True)
class Measured:
    """The statistics of one scan.

    Attributes:
        values: By ``NAMES``: how much more power the details have in blue than in red, -1..1, in the answer
            and in its ratio to other light, which has no albedo; then the slopes of blue less red of both
            along the light that the shape predicts.
        apart: Deviation of blue from red in the details of the answer, by scale, as a share of it, without
            noise.
        apart_over: The same in the ratio to other light.
        noise: Deviation of the noise in the latter.
        colours: Logarithms of the answer's red and blue over its green, over the whole face.
    """

    values: tuple[float, ...]
    apart: tuple[float, ...]
    apart_over: tuple[float, ...]
    noise: tuple[float, ...]
    colours: tuple[float, float]


def measure(answer: Answer, *, predicted: Plane, skin: NDArray[np.bool_], millimetres: float) -> Measured:
    """Measure a scan.

    Args:
        answer: The separated light.
        predicted: Illuminance by the screen, shape (h, w): the true one, more than a server knows.
        skin: Where the statistic counts.
        millimetres: Millimetres per pixel.
    """
    # Nothing outside the skin has an influence.
    low, high = np.argwhere(skin).min(axis=0), np.argwhere(skin).max(axis=0) + 1
    part = slice(low[0], high[0]), slice(low[1], high[1])
    answer = Answer(answer.screen[:, *part], answer.other[:, *part])
    skin, predicted = skin[part], predicted[part]
    skin = skin & _bright(answer, skin)
    least = _DARKEST * np.median(answer.other[:, skin], axis=1)[:, None, None] + _LEAST
    ratio = np.asarray(answer.screen / np.maximum(answer.other, least), np.float32)
    powers: list[list[float]] = []
    slopes: list[list[float]] = []
    apart: list[list[float]] = []
    noise: list[float] = []
    for light in (answer.screen, ratio):
        found = [_of_scale(light, predicted, skin, scale, millimetres) for scale in _SCALES]
        powers.append([one[0] for one in found])
        slopes.append([one[1] for one in found])
        apart.append([one[2] for one in found])
        noise = [one[3] for one in found]
    mean = np.log(np.maximum(answer.screen.mean(axis=0)[skin].mean(axis=0), _LEAST))
    return Measured(
        values=(*powers[0], *powers[1], *slopes[0], *slopes[1]),
        apart=tuple(apart[0]),
        apart_over=tuple(apart[1]),
        noise=tuple(noise),
        colours=(float(mean[2] - mean[1]), float(mean[0] - mean[1])),
    )


def _bright(answer: Answer, skin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where no colour is much darker than usual, as hair and nostrils are."""
    light = (answer.screen + answer.other).mean(axis=0)
    for channel in range(3):
        light[..., channel] = cv2.GaussianBlur(light[..., channel], (0, 0), 1.0)
    return np.asarray((light > _SHADE * np.median(light[skin], axis=0)).all(axis=-1))


def _of_scale(
    light: Plane,
    predicted: Plane,
    skin: NDArray[np.bool_],
    scale: tuple[float, float],
    millimetres: float,
) -> tuple[float, float, float, float]:
    """Return power, slope, deviation of blue from red, and noise, of light (2, h, w, 3) in one scale."""
    sizes = scale[0] / millimetres, scale[1] / millimetres
    halves = np.stack([details(half, skin, sizes) for half in light])
    shape = details(predicted[..., None], skin, sizes)[..., 0]
    shape = shape - shape.mean()
    difference = halves[..., 0] - halves[..., 2]
    return (
        finer(halves),
        float(difference.mean(axis=0) @ shape / max(_LEAST, float(shape @ shape))),
        float(np.sqrt(max(0.0, float((difference[0] * difference[1]).mean())))),
        float((difference[0] - difference[1]).std() / 2),
    )


def details(
    picture: NDArray[np.float32], skin: NDArray[np.bool_], sizes: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the details of a picture (h, w, n) where ``skin``, shape (k, n), as a share of its mean there.

    Args:
        picture: Linear light.
        skin: The part that counts; nothing outside it has an influence.
        sizes: Standard deviations of the finer and the coarser blur, pixels.
    """
    share = skin.astype(np.float32)
    fine, coarse = (
        _blurred(picture * share[..., None], size)[skin] / np.maximum(_blurred(share, size)[skin], 1e-3)
        for size in sizes
    )
    # The noise of the coarser blur is small, but light in the dark is not sure to be positive.
    return np.asarray((fine - coarse) / np.maximum(coarse, 0.1 * np.median(np.abs(coarse), axis=0) + _LEAST))


def _blurred(picture: Plane, size: float) -> NDArray[np.float64]:
    seen = cv2.GaussianBlur(picture, (0, 0), size, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(seen, np.float64).reshape(*picture.shape[:2], -1)


def finer(halves: NDArray[np.float64]) -> float:
    """Return how much more power blue has than red, -1..1; 0 if they are equal.

    Args:
        halves: Details of two halves of a scan, shape (2, k, 3).
    """
    blue, _, red = (halves[0] * halves[1]).mean(axis=0).tolist()
    return float(np.clip((blue - red) / max(blue + red, _LEAST), -1, 1))
