"""The cues of recapture in one frame: in the face itself, and of a border around it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cues import (
    COLOURLESS,
    CROP_FACE,
    WIDE_FACE,
    FaceCrop,
    FrameCues,
    WideCrop,
    cut_crops,
)
from liveness.extent import FaceExtent, face_extent
from vision.face import BgrImage, DetectedFace

_SMALLEST_FACE = 50.0
_LEAST_ROOM = 0.15
"""The room beside the face, face widths, below which a border would lie outside the frame."""

_NEAREST, _FARTHEST, _ACROSS_BODY = 0.5, 2.1, 1.35
"""Distances of side lines from the face's middle, face widths. Within the last, shoulders hide lines of the
room."""

_LEAST_BELOW_CHIN = 0.35
_STEP = 4.0
"""The least luma step from one pixel to the next at a line."""

_TILTS = tuple(0.05 * tilt for tilt in range(-3, 4))
_PARALLEL = 3
"""The largest difference in tilt of two parallel sides, steps of ``_TILTS``."""

_CANDIDATES = 3
_LEAST_COVER = 0.3
_LENGTH_WEIGHT = np.float32(0.1)
"""The weight of a line's cover over the whole crop. Among lines with equal cover at the face, it prefers the
one that continues."""
_SOBEL = 4
"""The response of Sobel's kernel to a step of one luma level."""
_BELOW_CHIN = 0.05
"""The distance below the face from which a lower edge is searched, face widths."""
_CHIN = 0.45
"""Half the width over which the lower edge must run below the face, face widths."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line, by its tilt and where it crosses the axis through the face's middle."""

    at: int
    tilt: int


class _Lines:
    """How much of every nearly upright straight line is edge. For level lines, transpose the edges."""

    def __init__(self, edges: NDArray[np.uint8], axis: float) -> None:
        rows, columns = edges.shape
        sums = np.empty((len(_TILTS), rows + 1, columns + 1), np.int32)
        for tilt, slope in enumerate(_TILTS):
            shear = np.array([[1, slope, -slope * axis], [0, 1, 0]], np.float32)
            upright = edges
            if slope != 0:
                upright = cv2.warpAffine(
                    edges, shear, (columns, rows), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
                ).astype(np.uint8, copy=False)
            cv2.integral(upright, sum=sums[tilt])
        self._sums = sums

    def cover(self, start: float, stop: float) -> NDArray[np.float32]:
        """Return how much of each line is edge from ``start`` to ``stop``, 0..1; shape (tilts, places)."""
        first, last = self._within(start, stop)
        edges = np.diff(self._sums[:, last] - self._sums[:, first], axis=1).astype(np.float32)
        return edges / np.float32(last - first)

    def cover_of(self, line: _Line, start: float, stop: float) -> float:
        """Return the same for one line."""
        first, last = self._within(start, stop)
        at = self._sums[line.tilt].item
        upto = at(last, line.at + 1) - at(last, line.at)
        before = at(first, line.at + 1) - at(first, line.at)
        return float(upto - before) / (last - first)

    def strongest(self, start: float, stop: float, *places: NDArray[np.bool_]) -> list[list[_Line]]:
        """Return, for each of ``places``, the lines with the most edge that cross the axis there."""
        length = self.cover(0, self._sums.shape[1] - 1)
        cover = self.cover(start, stop) + _LENGTH_WEIGHT * length
        return [_best(np.where(there[None], cover, np.float32(-1))) for there in places]

    def _within(self, start: float, stop: float) -> tuple[int, int]:
        longest = self._sums.shape[1] - 1
        first = min(max(0, int(start)), longest - 1)
        return first, max(first + 1, min(longest, int(stop)))


def _best(cover: NDArray[np.float32]) -> list[_Line]:
    """Return the lines with enough edge (``cover``, shape (tilts, places)) and without a better neighbour.

    Overwrite ``cover``.
    """
    found: list[_Line] = []
    for _ in range(_CANDIDATES):
        tilt, at = divmod(int(cover.argmax()), cover.shape[1])
        if cover[tilt, at] < _LEAST_COVER:
            break
        found.append(_Line(at=at, tilt=tilt))
        cover[:, max(0, at - 3) : at + 4] = -1
    return found


def measure_medium_border(crop: WideCrop) -> float | None:
    """Return how complete a border around the face is.

    The border consists of straight edges that are nearly upright or level, in one of two outlines: a side
    edge, and a lower edge from there to below the face; or two parallel side edges that continue below the
    chin, where shoulders would hide a door frame or a shelf.

    Returns:
        How much of the weakest part of the most complete outline is edge, 0..1; ``None`` for a face less than
        50 pixels wide and for a frame that ends at the face's sides.
    """
    rows, columns = crop.luma.shape
    room = max(crop.extent.left, columns - crop.extent.right)
    if crop.frame_width < _SMALLEST_FACE or room < _LEAST_ROOM * WIDE_FACE or rows < WIDE_FACE:
        return None
    return _outline(crop.luma, crop.extent)


def _outline(grey: NDArray[np.uint8], face: FaceExtent) -> float:
    rows, columns = grey.shape
    upright_edges, level_edges = _edges(grey)
    upright = _Lines(upright_edges, face.y)
    at = np.arange(columns)
    place = (at - face.x) / WIDE_FACE
    ring = (at > 1) & (at < columns - 2) & (np.abs(place) > _NEAREST) & (np.abs(place) < _FARTHEST)
    lefts, rights = upright.strongest(face.top, face.bottom, ring & (place < 0), ring & (place > 0))
    if not lefts and not rights:
        return 0.0
    best = _cornered(upright, level_edges, lefts, rights, face)
    if rows - 1 - face.bottom >= _LEAST_BELOW_CHIN * WIDE_FACE:
        best = max(best, _through(upright, lefts, rights, face, rows))
    return best


def _cornered(
    upright: _Lines,
    level_edges: NDArray[np.uint8],
    lefts: Sequence[_Line],
    rights: Sequence[_Line],
    face: FaceExtent,
) -> float:
    """Return the completeness of the best pair of a side and the lower edge from it to below the face."""
    rows = len(level_edges)
    # The height that a tilted line, which crosses the axis below the chin, can reach above that point.
    above = math.ceil(max(_TILTS) * max(face.x, level_edges.shape[1] - face.x)) + 1
    first = min(max(0, int(face.bottom) - above), rows - 1)
    level = _Lines(np.ascontiguousarray(level_edges[first:].T), face.x)
    heights = np.arange(first, rows)
    below = (heights > face.bottom + _BELOW_CHIN * WIDE_FACE) & (heights < rows - 2)
    (bottoms,) = level.strongest(face.x - _CHIN * WIDE_FACE, face.x + _CHIN * WIDE_FACE, below)
    best = 0.0
    for low in bottoms:
        for line in (*lefts, *rights):
            side = upright.cover_of(line, face.top, first + low.at - 1)
            reach = (line.at, face.x) if line.at < face.x else (face.x, line.at)
            if side > best:
                best = max(best, min(side, level.cover_of(low, *reach)))
    return best


def _through(
    upright: _Lines, lefts: Sequence[_Line], rights: Sequence[_Line], face: FaceExtent, rows: int
) -> float:
    """Return the completeness of the best pair of parallel sides that continue to the crop's lower edge."""

    def cover(line: _Line) -> float:
        if abs(line.at - face.x) > _ACROSS_BODY * WIDE_FACE:
            return 0.0
        beside = upright.cover_of(line, face.top, face.bottom)
        return min(beside, upright.cover_of(line, face.bottom, rows - 1))

    covers = {line: cover(line) for line in (*lefts, *rights)}
    pairs = [
        min(covers[one], covers[other])
        for one in lefts
        for other in rights
        if abs(one.tilt - other.tilt) <= _PARALLEL
    ]
    return max(pairs, default=0.0)


def _edges(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return two masks: 1 within a pixel of an upright edge, and of a level edge."""
    across = np.abs(cv2.Sobel(grey, cv2.CV_16S, 1, 0))
    down = np.abs(cv2.Sobel(grey, cv2.CV_16S, 0, 1))
    return (
        _thin(across, down, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 1))),
        _thin(down, across, cv2.getStructuringElement(cv2.MORPH_RECT, (1, 3))),
    )


def _thin(along: np.ndarray, other: np.ndarray, neighbours: np.ndarray) -> NDArray[np.uint8]:
    edge = (along >= _SOBEL * _STEP) & (along >= 2 * other) & (along >= cv2.dilate(along, neighbours))
    return np.asarray(cv2.dilate(edge.astype(np.uint8), neighbours), np.uint8)


# The spectrum of a face's finest detail in a frame.
#
# Moiré is periodic: it gives a few sharp peaks in the spectrum, in most places of the frame. Hair, beards and
# skin give a smooth spectrum, and a straight edge gives a streak through the spectrum's middle. The
# surroundings are not measured, because a room has blinds and woven cloth. Windows are cut in the frame's own
# pixels, because resizing would remove the finest structure or add aliases.

WINDOW = 64
"""The side of one window, pixels."""

_FEWEST_WINDOWS = 2
_SMALLEST_FOR_WINDOWS = 80.0
"""The face width, pixels, below which a window does not lie on the face."""

_NOISE_VARIANCE = 0.4
"""The variance of rounding and of a good sensor's noise, squared 8-bit steps. Weaker structure is noise."""

_ARM = 3
"""The distance, in bins, from a peak to the bins it is compared with. A Hann window spreads a sine over two
bins on either side."""

_NEIGHBOURS = np.zeros((2 * _ARM + 1, 2 * _ARM + 1), np.uint8)
_NEIGHBOURS[::_ARM, ::_ARM] = 1
_NEIGHBOURS[_ARM, _ARM] = 0
_MARGIN = _ARM + 1
_WINDOWS_ACROSS, _WINDOWS_DOWN = 0.2, 0.28
"""The distances from the face's middle to the windows' middles, face widths."""


def fine_structure(image: BgrImage, face: DetectedFace) -> NDArray[np.float32] | None:
    """Return how far each frequency on forehead, cheeks and chin stands out from its neighbours.

    Args:
        image: The upright frame, shape (height, width, 3), BGR, 0..255.

    Returns:
        Natural logs of ratios of power, shape (64, 33), in the order of ``numpy.fft.rfft2``; ``None`` if the
        face is too small or too little of it lies inside the frame.
    """
    on_face = _cut(image, _face_windows(face_extent(face), image))
    if on_face is None:
        return None
    luma = cv2.cvtColor(on_face, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return _standing_out(luma.reshape(-1, WINDOW, WINDOW))


def _face_windows(extent: FaceExtent, image: BgrImage) -> list[tuple[int, int]]:
    """Return the top left corners of up to six windows on the face."""
    if extent.width < _SMALLEST_FOR_WINDOWS:
        return []
    across, down = _WINDOWS_ACROSS * extent.width, _WINDOWS_DOWN * extent.width
    centres = [
        (extent.x + column * across, extent.y + row * down) for row in (-1, 0, 1) for column in (-1, 1)
    ]
    return _inside(centres, image)


def _inside(centres: Iterable[tuple[float, float]], image: BgrImage) -> list[tuple[int, int]]:
    height, width = image.shape[:2]
    corners = [(round(x - WINDOW / 2), round(y - WINDOW / 2)) for x, y in centres]
    distinct = dict.fromkeys(corners)
    return [(x, y) for x, y in distinct if 0 <= x <= width - WINDOW and 0 <= y <= height - WINDOW]


def _cut(image: BgrImage, corners: list[tuple[int, int]]) -> BgrImage | None:
    """Return the windows stacked vertically, shape (windows x 64, 64, 3); ``None`` if there are too few."""
    if len(corners) < _FEWEST_WINDOWS:
        return None
    return np.concatenate([image[y : y + WINDOW, x : x + WINDOW] for x, y in corners])


def _standing_out(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log of each frequency's power over its neighbours', in the direction with the least ratio.

    The logs of the windows' spectra are averaged, so that structure in a single window counts little.
    """
    side = windows.shape[1]
    taper = _taper(side)
    spectra = np.fft.rfft2((windows - windows.mean(axis=(1, 2), keepdims=True)) * taper)
    power = spectra.real**2 + spectra.imag**2 + np.float32(_NOISE_VARIANCE * float((taper**2).sum()))
    half = np.log(power).mean(axis=0)
    # The least ratio over all directions is the ratio to the strongest neighbour.
    strongest = cv2.dilate(cv2.blur(half[_with_margin(side)], (3, 3)), _NEIGHBOURS)
    inside = slice(_MARGIN, -_MARGIN)
    return np.asarray(half - strongest[inside, inside], np.float32)


@cache
def _with_margin(side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of a half spectrum with a margin around it, because spectra are periodic.

    Columns left of 0 and right of the half's end are those of the opposite frequencies.
    """
    rows, columns = np.arange(-_MARGIN, side + _MARGIN), np.arange(-_MARGIN, side // 2 + 1 + _MARGIN)
    opposite = (columns < 0) | (columns > side // 2)
    at = np.where(opposite, -rows[:, None], rows[:, None]) % side
    return at, np.broadcast_to(np.where(columns < 0, -columns, np.minimum(columns, side - columns)), at.shape)


@cache
def _taper(side: int) -> NDArray[np.float32]:
    across = np.hanning(side + 2)[1:-1]
    return np.outer(across, across).astype(np.float32)


_LOWEST, _HIGHEST = 0.1, 0.5
"""Cycles per pixel. Below the first, faces have structure too; above the second, a sensor has none."""

_CODING_BLOCK: Final = 8
"""The side of a block in JPEG and video, pixels. The seams of the blocks are lines in the spectrum."""


def measure_moire(structure: NDArray[np.float32] | None) -> float | None:
    """Return how strongly one frequency stands out in the spectrum of the face's finest detail.

    Only the face counts: rooms have blinds and clothes have a weave, but skin has no periodic structure.

    Args:
        structure: ``fine_structure`` of one frame.

    Returns:
        Power over that of nearby frequencies: about 2 for skin, up to 11 on live faces, 12 and more for a
        clearly visible pattern of a screen; ``None`` if ``structure`` is ``None``, as for a face less than 80
        pixels wide.
    """
    if structure is None:
        return None
    return float(np.exp(structure[_band()].max()))


@cache
def _band() -> NDArray[np.bool_]:
    """Return a mask of the frequencies that count, in the shape of ``fine_structure``."""
    down, across = np.meshgrid(np.fft.fftfreq(WINDOW), np.fft.rfftfreq(WINDOW), indexing="ij")
    radius = np.hypot(down, across)
    half_bin = 0.5 / WINDOW

    def seam(along: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
        beat = along * _CODING_BLOCK
        return (np.abs(beat - np.round(beat)) < half_bin) & (np.abs(other) < half_bin)

    blocks = seam(down, across) | seam(across, down)
    counted: NDArray[np.bool_] = (radius >= _LOWEST) & (radius <= _HIGHEST) & ~blocks
    return counted


_GAMUT_STEP = 3
"""The spacing of the pixels that are read. Every third one is enough for medians and percentiles."""

_LEAST_INSIDE_FOR_GAMUT = 0.7
_GREY_SKIN = 2.0
"""The mean difference between blue and red, 8-bit steps, below which an image is grey."""

_SHADED_SHARE = 0.4
"""The share of a face's pixels, darkest first, that is hair, eyes and shadow, not lit skin."""

_DIM = 130
"""The luma of the brightest hundredth below which poor light, not a medium, makes the range narrow."""

_DARKEST, _BRIGHTEST = 0.01, 0.99
_CAST_WEIGHT = 2.3
"""The steps of tonal range that one unit of CIE b* is worth; fitted to prints and selfies of one source."""

_MOST_YELLOW, _MOST_BLUE = 15.0, -25.0
_SKIN_ACROSS, _SKIN_DOWN = 0.34, 0.42
"""Half width and half height of the part of the face that is mostly skin, face extents."""


def measure_colour_gamut(crop: FaceCrop) -> float | None:
    """Return the tonal range of the face and its surroundings, reduced by a blue cast of the skin.

    A print has no full black, and a screen's black glows; both compress the tones. Under any white balance,
    skin lies on the yellow-red side of grey (M. Soriano et al., "Skin detection in video under changing
    illumination conditions", ICPR 2000). Ink and backlight shift it towards blue.

    Args:
        crop: The close crop of one frame.

    Returns:
        Luma from the 1st to the 99th percentile over the face and half a face around it, plus 2.3 for
        each unit of CIE 1976 b* of the lit skin (from -25 to 15), over 255: about 0.3 to 1.1; ``None``
        if much of the face lies outside the frame, or if the crop is grey or dim.
    """
    if crop.inside < _LEAST_INSIDE_FOR_GAMUT:
        return None
    place = crop.place(-_SKIN_ACROSS, -_SKIN_DOWN, _SKIN_ACROSS, _SKIN_DOWN)
    skin = crop.picture[place][::_GAMUT_STEP, ::_GAMUT_STEP]
    blue, _, red = cv2.split(skin)
    if float(cv2.mean(cv2.absdiff(blue, red))[0]) < _GREY_SKIN:
        return None
    darkest, brightest = _levels(crop.luma[::_GAMUT_STEP, ::_GAMUT_STEP], (_DARKEST, _BRIGHTEST))
    if brightest < _DIM:
        return None
    luma = crop.luma[place][::_GAMUT_STEP, ::_GAMUT_STEP]
    (shaded,) = _levels(luma, (_SHADED_SHARE,))
    lit = skin[luma > shaded]
    if lit.size == 0:
        return None
    # OpenCV stores b* of 8-bit images with 128 added.
    lab = cv2.cvtColor(lit[None], cv2.COLOR_BGR2LAB)
    yellow = float(np.clip(np.median(lab[..., 2]) - 128, _MOST_BLUE, _MOST_YELLOW))
    return (brightest - darkest + _CAST_WEIGHT * yellow) / 255


def _levels(grey: np.ndarray, shares: tuple[float, ...]) -> list[int]:
    """Return the luma at or below which each of ``shares``, 0..1, of the pixels lies."""
    counts = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return [int(np.searchsorted(counts, share * grey.size)) for share in shares]


_SMALLEST_FOR_BLUR = 72.0
"""The least face width, frame pixels. Enlarging a smaller face to the crop's size would blur it."""

_LEAST_INSIDE_FOR_BLUR = 0.5
_REACH = 0.95
"""The distance from the face's middle up to which its surroundings are measured, face widths."""

_NARROWEST_SIDE = 0.15
_PLAIN = 8.0
"""The standard deviation of luma below which surroundings are too plain to be sharp or soft."""

_FINE, _MIDDLE = (5, 0.8), (9, 1.6)
_COARSER = 9, (3.2**2 - 1.6**2) ** 0.5 / 2
"""Side and standard deviation of each blur, pixels. The last blur is applied to every other pixel of the
result of the second and makes its standard deviation 3.2 pixels."""

_FLOOR = 0.05
"""The number of 8-bit steps that is added to each band, so that none is zero."""

_DETAIL_WEIGHT, _COLOUR_WEIGHT = 1.7, 0.8
"""The weights of fine detail that is lacking beside coarse detail, and beside grain of colour."""


def measure_blur_depth(crop: FaceCrop) -> float | None:
    """Return how much fine detail the face and its surroundings lack.

    A medium in front of the camera is flat, so it is in focus everywhere or nowhere, and what it shows was
    already blurred by another lens. The sharper side of the surroundings counts as much as the face, because
    a living person may be out of focus in front of a sharp room. Detail is compared between bands of spatial
    frequency, and with the colour noise of the sensor, which the first lens did not blur.

    Args:
        crop: The close crop of one frame.

    Returns:
        A weighted sum of natural logs of ratios of amplitude, about -1.5 (crisp) to 3 (blurred);
        ``None`` for a face less than 72 pixels wide or of which less than half lies inside the frame.
    """
    if crop.frame_width < _SMALLEST_FOR_BLUR or crop.inside < _LEAST_INSIDE_FOR_BLUR:
        return None
    bands = _bands(crop)
    face = _softness(bands, _columns(crop, -0.5, 0.5))
    sides = [
        _softness(bands, side)
        for side in (_columns(crop, -_REACH, -0.5), _columns(crop, 0.5, _REACH))
        if side.stop - side.start >= _NARROWEST_SIDE * CROP_FACE
        and float(cv2.meanStdDev(bands.luma[:, side])[1][0, 0]) >= _PLAIN
    ]
    return (face + min(sides, default=face)) / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """The face and both its sides: luma, and pairs of images before and after a further blur.

    ``coarse`` has every other row and column, which hold all the detail that is left in it.
    """

    luma: NDArray[np.float32]
    fine: tuple[NDArray[np.float32], NDArray[np.float32]]
    coarse: tuple[NDArray[np.float32], NDArray[np.float32]]
    grain: tuple[NDArray[np.float32], NDArray[np.float32]]


def _columns(crop: FaceCrop, left: float, right: float) -> slice:
    """Return the columns of the bands between two edges, in face widths from the face's middle."""
    first = crop.place(-_REACH, -0.5, _REACH, 0.5)[1].start
    columns = crop.place(left, -0.5, right, 0.5)[1]
    return slice(columns.start - first, columns.stop - first)


def _bands(crop: FaceCrop) -> _Bands:
    place = crop.place(-_REACH, -0.5, _REACH, 0.5)
    luma = crop.luma[place].astype(np.float32)
    middle = _blurred(luma, *_MIDDLE)[::2, ::2]
    blue, _, red = cv2.split(crop.picture[place])
    colour = cv2.subtract(blue, red, dtype=cv2.CV_32F).astype(np.float32, copy=False)
    return _Bands(
        luma=luma,
        fine=(luma, _blurred(luma, *_FINE)),
        coarse=(middle, _blurred(middle, *_COARSER)),
        grain=(colour, _blurred(colour, *_FINE)),
    )


def _softness(bands: _Bands, columns: slice) -> float:
    fine, grain = _amplitude(*bands.fine, columns), _amplitude(*bands.grain, columns)
    coarse = _amplitude(*bands.coarse, slice(columns.start // 2, columns.stop // 2))
    return float(_DETAIL_WEIGHT * np.log(coarse / fine) + _COLOUR_WEIGHT * np.log(grain / fine))


def _blurred(picture: NDArray[np.float32], side: int, sigma: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(picture, (side, side), sigma).astype(np.float32, copy=False)


def _amplitude(picture: NDArray[np.float32], blurred: NDArray[np.float32], columns: slice) -> float:
    """Return the root mean square of the detail that ``blurred`` lost within ``columns``, 8-bit steps."""
    lost = cv2.norm(picture[:, columns], blurred[:, columns], cv2.NORM_L2)
    return float(lost / np.sqrt(picture[:, columns].size)) + _FLOOR


_SMALLEST_FOR_SHINE = 64.0
"""The least face width, frame pixels."""

_LEAST_INSIDE_FOR_SHINE = 0.8
_SHADE = 21
"""The side of the neighbourhood whose mean is the diffuse shading, pixels of the crop."""

_FACE_RADII = 0.36, 0.42
_EYE_RADIUS, _MOUTH_RADIUS = 0.15, 0.17
"""Radii of the parts around eyes and mouth corners that are left out, face widths. They are not skin."""

_DARK = 4
"""Added to the brightest channel, 8-bit steps, because the saturation of darker pixels is not measurable."""

_SHADOW = 35
_HIGHLIGHT = 99
"""Percentiles of the skin. Below the first it is shadow or beard, above the second it is highlight."""

_GLARE_STEP = 3
"""The spacing of the pixels that are read. Every third one is enough to find glare."""

_GLARE = 240
_LEAST_GLARE, _BLINDING_GLARE = 0.02, 0.1
"""Share of the face that a white patch covers, with at least as much area beside the face. From the first on
it is the glare of a medium; at the second, no highlight can be distinguished from it."""
_OUTLINE = 0.45
"""Half axes of the face's outline, face extents. A white patch that crosses the outline is not on the
face."""


def measure_specular_highlights(crop: FaceCrop) -> float | None:
    """Return how much brighter the skin's highlights are than the skin around them.

    Skin reflects light in two ways (S. Shafer, "Using color to separate reflection components", 1985): its
    body in the colour of the skin, and its surface in the colour of the light. The surface gives small
    highlights, whiter than their surroundings, on nose, forehead and cheeks. The gamut of a print or a screen
    flattens them. The surface of a print or a screen shines in one patch that does not follow the outline of
    the face, so a white patch that crosses the outline reduces the value.

    Args:
        crop: The close crop of one frame.

    Returns:
        The luma of the brightest hundredth of the skin over the mean around it, less 1, of pixels that are
        less saturated than their surroundings: about 0.1 to 0.6, and down to 0 with glare across the face's
        outline; ``None`` for a face less than 64 pixels wide or partly outside the frame.
    """
    if crop.frame_width < _SMALLEST_FOR_SHINE or crop.inside < _LEAST_INSIDE_FOR_SHINE:
        return None
    skin = _skin(crop)
    if not skin.any():
        return None
    return _shine(crop, skin) * max(0.0, 1 - _glare(crop) / _BLINDING_GLARE)


def _skin(crop: FaceCrop) -> NDArray[np.bool_]:
    """Return a mask of forehead, nose, cheeks and chin, in the shape of ``crop.face``."""
    extent = crop.extent
    left, top = max(0.0, extent.left), max(0.0, extent.top)
    mask = np.zeros(crop.luma[crop.face].shape, np.uint8)
    radii = round(_FACE_RADII[0] * extent.width), round(_FACE_RADII[1] * extent.height)
    cv2.ellipse(mask, (round(extent.x - left), round(extent.y - top)), radii, 0, 0, 360, 1, -1)
    for at, radius in zip((0, 1, 3, 4), (_EYE_RADIUS,) * 2 + (_MOUTH_RADIUS,) * 2, strict=True):
        x, y = (float(value) for value in crop.five_points[at])
        cv2.circle(mask, (round(x - left), round(y - top)), round(radius * extent.width), 0, -1)
    return mask.astype(np.bool_)


def _shine(crop: FaceCrop, skin: NDArray[np.bool_]) -> float:
    luma = crop.luma[crop.face]
    blue, green, red = cv2.split(crop.picture[crop.face])
    brightest, darkest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    spread = cv2.subtract(brightest, darkest).astype(np.float32)
    saturation = spread / (brightest.astype(np.float32) + _DARK)
    around, typical = cv2.blur(luma, (_SHADE, _SHADE)), cv2.blur(saturation, (_SHADE, _SHADE))
    darker = np.cumsum(cv2.calcHist([luma], [0], skin.view(np.uint8), [256], [0, 256]))
    lit = skin & (luma > int(np.searchsorted(darker, _SHADOW / 100 * float(darker[-1]))))
    ratio = (luma[lit] + np.float32(1)) / (around[lit] + np.float32(1))
    ratio[saturation[lit] >= typical[lit]] = 1
    if ratio.size == 0:
        return 0.0
    brightest_at = round(_HIGHLIGHT / 100 * (ratio.size - 1))
    return max(0.0, float(np.partition(ratio, brightest_at)[brightest_at]) - 1)


def _glare(crop: FaceCrop) -> float:
    """Return the share of the face under a white patch that covers as much outside of it; 0 without one."""
    extent = crop.extent
    # Luma is a mean of the channels, so it is high if all of them are.
    if not (crop.luma[::_GLARE_STEP, ::_GLARE_STEP] >= _GLARE).any():
        return 0.0
    white = cv2.inRange(crop.picture[::_GLARE_STEP, ::_GLARE_STEP], (_GLARE,) * 3, (255,) * 3)
    if not white.any():
        return 0.0
    face = np.zeros(white.shape, np.uint8)
    centre = round(extent.x / _GLARE_STEP), round(extent.y / _GLARE_STEP)
    radii = round(_OUTLINE * extent.width / _GLARE_STEP), round(_OUTLINE * extent.height / _GLARE_STEP)
    cv2.ellipse(face, centre, radii, 0, 0, 360, 1, -1)
    patches, labels = cv2.connectedComponents(white)
    on_face = np.bincount(labels[face == 1], minlength=patches)[1:]
    beside = np.bincount(labels[face == 0], minlength=patches)[1:]
    crossing = int(np.minimum(on_face, beside).max())
    share = crossing / max(1, int(face.sum()))
    return share if share >= _LEAST_GLARE else 0.0


_MOIRE: Final = "moire"
_OF_THE_ROOM: Final[Mapping[str, Callable[[WideCrop], float | None]]] = MappingProxyType(
    {"medium_border": measure_medium_border}
)
_OF_THE_FACE: Final[Mapping[str, Callable[[FaceCrop], float | None]]] = MappingProxyType(
    {
        "specular_highlights": measure_specular_highlights,
        "colour_gamut": measure_colour_gamut,
        "blur_depth": measure_blur_depth,
    }
)

_COLOUR_STEP: Final = 4
"""The spacing of the pixels that are read to tell whether a frame is grey."""
_GREY_MEAN, _GREY_MOST, _GREY_CAST = 2.0, 8, 8.0
"""The differences between the channels of a grey frame, 8-bit steps: beyond its tint their mean, and that of
all but one pixel in a hundred; and their mean with the tint. Films of grey pictures, some with a cast, have
0.7, 4 and 5 at most; the frames of 57 recorded clips 5.2, 25 and 9.7 or more. The light of a screen tints
frames in the dark by more."""

FRAME_CUES: Final = (_MOIRE, *_OF_THE_ROOM, *_OF_THE_FACE)
"""The names of the cues."""


def measure_frame_cues(image: BgrImage, face: DetectedFace, *, frame_index: int) -> FrameCues:
    """Measure the cues of one upright frame.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255; not resized, because resizing removes the
            structure that some cues measure.
        frame_index: The frame's index in the scan.
    """
    measured: dict[str, float | None] = {_MOIRE: measure_moire(fine_structure(image, face))}
    if (crops := cut_crops(image, face)) is not None:
        measured |= {name: measure(crops.wide) for name, measure in _OF_THE_ROOM.items()}
        measured |= {name: measure(crops.close) for name, measure in _OF_THE_FACE.items()}
    if _colourless(image):
        measured[COLOURLESS] = 1.0
    return FrameCues(
        frame_index=frame_index,
        values=MappingProxyType({name: value for name, value in measured.items() if value is not None}),
    )


def _colourless(image: BgrImage) -> bool:
    """Return whether all colours of a frame are one slight tint, which may change with the brightness.

    Films tint grey pictures by their rounding, and cameras by their white balance.
    """
    shown = image[::_COLOUR_STEP, ::_COLOUR_STEP].reshape(-1, 3).astype(np.float64)
    brightness = shown.mean(axis=1) / 255
    powers = np.stack([np.ones_like(brightness), brightness, brightness**2], axis=1)
    between = shown[:, :1] - shown[:, 1:]
    if np.abs(between).max(axis=1).mean() > _GREY_CAST:
        return False
    tint = powers @ np.linalg.lstsq(powers, between, rcond=None)[0]
    apart = np.abs(between - tint).max(axis=1)
    return float(apart.mean()) <= _GREY_MEAN and float(np.percentile(apart, 99)) <= _GREY_MOST
