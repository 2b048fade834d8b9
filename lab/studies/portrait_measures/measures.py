"""The studies of single measures: tables of compression, masks over mouths, outlines and sharpness."""

import io
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import minimize
from scipy.special import expit

from lab.evaluation.binomial import proportion
from lab.studies.portrait_measures.faces import StudiedFace
from matcher.conformance.detail import UNBLOCKED, blockiness, mean_luma_step, sharpness
from matcher.conformance.face_region import ALIGNED_EYE_DISTANCE, MEAN_OUTLINE, face_crop
from matcher.conformance.features import mouth_colours
from matcher.conformance.interface import PortraitView
from vision.face import BgrImage
from vision.geometry import FIVE_ALIGNED, face_parts, similarity_transform
from vision.mouth_colours import COEFFICIENTS, MouthColours, covered_evidence

_QUALITIES: Final = (100, 97, 92, 85, 75, 60, 45, 30, 20, 12, 6)
_RATES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)
_MIDDLE: Final = slice(184, 432)
"""Rows and columns of the aligned face that are compared (the input of OFIQ's network)."""
_WINDOW: Final = (11, 11)
_WINDOW_DEVIATION: Final = 1.5


def in_first_half(group: str) -> bool:
    """Return whether a group's photos belong to the first half; photos of one person stay together."""
    return zlib.crc32(group.encode()) % 2 == 0


def structural_similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean structural similarity of two grey images, -1..1.

    Source: Z. Wang et al., IEEE TIP 13(4), 2004: Gaussian window of 11 x 11 pixels, deviation 1.5, K1 0.01,
    K2 0.03; only positions with the whole window inside.
    """
    x, y = one.astype(np.float64), other.astype(np.float64)

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, _WINDOW, _WINDOW_DEVIATION), dtype=np.float64)

    mean_x, mean_y = smooth(x), smooth(y)
    spread = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
    together = smooth(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * together + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (spread + c2)
    edge = _WINDOW[0] // 2
    return float(likeness[edge:-edge, edge:-edge].mean())


def as_jpeg(image: BgrImage, quality: int) -> bytes:
    """Encode a JPEG file at one of libjpeg's qualities, with chroma at half the resolution."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def as_jpeg2000(image: BgrImage, bits: float) -> bytes:
    """Encode a JPEG 2000 file, irreversible, of at most ``bits`` bits per pixel."""
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    picture.save(file, "JPEG2000", quality_mode="rates", quality_layers=[24 / bits], irreversible=True)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Ladder:
    """The effect of compression on one portrait, or on several on average.

    Attributes:
        jpeg: Shape (11, 3): luma step, similarity and blockiness at each quality.
        jpeg2000: Shape (9, 2): bits per pixel and similarity at each rate.
        unblocked: Shape (10,): blockiness of the portrait itself and of each JPEG 2000.
    """

    jpeg: NDArray[np.float64]
    jpeg2000: NDArray[np.float64]
    unblocked: NDArray[np.float64]


def ladder_of(portrait: PortraitView) -> Ladder:
    """Compress one portrait at every quality and rate."""
    jpeg, jpeg2000, unblocked = [], [], [_blocks(portrait, portrait.image)]
    for quality in _QUALITIES:
        file = as_jpeg(portrait.image, quality)
        image = _decoded(file)
        jpeg.append((mean_luma_step(file) or 0.0, _similarity(portrait, image), _blocks(portrait, image)))
    height, width = portrait.image.shape[:2]
    for rate in _RATES:
        file = as_jpeg2000(portrait.image, rate)
        image = _decoded(file)
        jpeg2000.append((8 * len(file) / (height * width), _similarity(portrait, image)))
        unblocked.append(_blocks(portrait, image))
    return Ladder(np.array(jpeg), np.array(jpeg2000), np.array(unblocked))


def mean_errors(tried: Sequence[Ladder], tables: Ladder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the absolute errors of the estimates from tables.

    Args:
        tried: Portraits that were not used for the tables.

    Returns:
        Shape (n, 11, 2): errors of each portrait and quality, from the file and from the blocks; and shape
        (n, 9): errors of each rate, from the file.
    """
    jpeg, jpeg2000 = [], []
    steps, similarities, blocks = tables.jpeg.T
    for each in tried:
        step, true, seen = each.jpeg.T
        from_file = np.interp(np.log(step), np.log(steps), similarities)
        from_blocks = np.where(seen < UNBLOCKED, 1.0, np.interp(seen, blocks, similarities))
        jpeg.append(np.abs(np.column_stack([from_file, from_blocks]) - true[:, None]))
        bits, true = each.jpeg2000.T
        rates, similarities_2000 = tables.jpeg2000.T
        jpeg2000.append(np.abs(np.interp(np.log(bits), np.log(rates), similarities_2000) - true))
    return np.array(jpeg), np.array(jpeg2000)


def print_compression(
    first: Sequence[PortraitView], second: Sequence[PortraitView], console: Console
) -> None:
    """Print the tables of all portraits, and the errors of each half's tables on the other half."""
    halves = [
        [ladder_of(portrait) for portrait in track(half, "compression", console=Console(stderr=True))]
        for half in (first, second)
    ]
    if not all(halves):
        raise ValueError("compression needs portraits in both halves")
    everything = [*halves[0], *halves[1]]
    tables = _mean(everything)
    tried = [mean_errors(halves[at], _mean(halves[1 - at])) for at in (0, 1)]
    jpeg, jpeg2000 = (np.concatenate([errors[part] for errors in tried]).mean(axis=0) for part in (0, 1))
    counts = f"{len(first)} and {len(second)}"
    console.print(f"{len(everything)} portraits; errors of {counts} by the other half's tables.")
    table = Table("JPEG quality", "luma step", "similarity", "blockiness", "error from file", "from blocks")
    for quality, row, errors in zip(_QUALITIES, tables.jpeg, jpeg, strict=True):
        figures = [f"{value:.3f}" for value in (*row[1:], *errors)]
        table.add_row(str(quality), f"{row[0]:.1f}", *figures)
    console.print(table)
    table = Table("JPEG 2000, bits per pixel asked for", "got", "similarity", "error from file")
    for rate, row, error in zip(_RATES, tables.jpeg2000, jpeg2000, strict=True):
        table.add_row(f"{rate:g}", *(f"{value:.3f}" for value in (*row, error)))
    console.print(table)
    steps = np.concatenate([ladder.unblocked for ladder in everything])
    console.print(
        f"Never cut into blocks: {int((steps >= UNBLOCKED).sum())} of {steps.size} pictures measure "
        f"{UNBLOCKED:g} or more; the largest is {steps.max():.3f}."
    )


def _mean(ladders: Sequence[Ladder]) -> Ladder:
    parts = ("jpeg", "jpeg2000", "unblocked")
    return Ladder(*(np.mean([getattr(each, part) for each in ladders], axis=0) for part in parts))


def _similarity(portrait: PortraitView, image: BgrImage) -> float:
    aligned = [each.aligned for each in (portrait, replace(portrait, image=image))]
    one, other = (
        cv2.cvtColor(face.image[_MIDDLE, _MIDDLE], cv2.COLOR_BGR2GRAY).astype(np.uint8)
        for face in aligned
        if face is not None
    )
    return structural_similarity(one, other)


def _blocks(portrait: PortraitView, image: BgrImage) -> float:
    crop = None if portrait.aligned is None else face_crop(image, portrait.aligned)
    found = None if crop is None else blockiness(crop.pixels)
    if found is None:
        raise ValueError("a portrait's face is outside of it, or too small for blocks")
    return found


def _decoded(file: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


_LEAST_EYES = 30.0
"""Least eye distance of a photo that counts, pixels."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """The mouth of one photo: its source (as in ``StudiedFace``), whether it is covered, and its colours."""

    source: str
    fold: str
    covered: bool
    colours: MouthColours


def mouth_of(face: StudiedFace) -> Mouth | str:
    """Return the mouth of a face, or why it does not count."""
    if face.covered is None:
        return "not clearly covered or bare"
    if face.eyes < _LEAST_EYES:
        return f"eyes less than {_LEAST_EYES:g} pixels apart"
    aligned = face.view.aligned
    colours = "cannot be aligned" if aligned is None else mouth_colours(aligned)
    if isinstance(colours, str):
        return colours
    return Mouth(source=face.source, fold=face.fold, covered=face.covered, colours=colours)


def fit_logistic(features: NDArray[np.float64], covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit the coefficients by maximum likelihood, with equal weight of covered and bare mouths.

    Args:
        features: Shape (n, k).
        covered: Shape (n,); both kinds must occur.

    Returns:
        Shape (k + 1,), with the offset first.
    """
    weights = np.where(covered, 0.5 / covered.sum(), 0.5 / (~covered).sum())
    ones = np.column_stack([np.ones(covered.size), features])

    def loss(coefficients: NDArray[np.float64]) -> float:
        evidence = ones @ coefficients
        return float(weights @ (np.logaddexp(0, evidence) - covered * evidence))

    def slope(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ones.T @ (weights * (expit(ones @ coefficients) - covered)), dtype=np.float64)

    found = minimize(loss, np.zeros(ones.shape[1]), jac=slope, method="BFGS", options={"gtol": 1e-6})
    return np.asarray(found.x, dtype=np.float64)


def left_out_evidence(found: Sequence[Mouth], *, fitted_on: Sequence[Mouth]) -> NDArray[np.float64]:
    """Return the log odds of every mouth, from a function fitted without its fold, shape (n,).

    Args:
        fitted_on: The photos of ``found`` with the same landmarks, or with another pack's.
    """
    features, _, folds = _arrays(found)
    others, covered, their_folds = _arrays(fitted_on)
    evidence = np.empty(folds.size)
    for fold in np.unique(folds):
        offset, *slopes = fit_logistic(others[their_folds != fold], covered[their_folds != fold])
        evidence[folds == fold] = offset + features[folds == fold] @ slopes
    return evidence


def print_mouths(found: Sequence[Mouth], console: Console, *, name: str, fitted_on: Sequence[Mouth]) -> None:
    """Print the fit, and the rates of covered results by it and by the shipped function, by source."""
    features, covered, folds = _arrays(found)
    if covered.all() or not covered.any():
        raise ValueError(f"{name}: covered and bare mouths are needed, found {covered.sum()} of {len(found)}")
    fitted = ", ".join(f"{value:.3f}" for value in fit_logistic(features, covered))
    console.print(f"{name}: fitted {fitted}; shipped {', '.join(map(str, COEFFICIENTS))}")
    ways = {
        "left-out folds": left_out_evidence(found, fitted_on=fitted_on) > 0,
        "shipped": np.array([covered_evidence(each.colours) > 0 for each in found]),
    }
    table = Table(title=f"Said to be covered, {name}; {len(set(folds))} folds")
    for column in ("source", "mouths", *ways):
        table.add_column(column, no_wrap=True)
    for kind, mask in (("covered", covered), ("bare", ~covered)):
        said = (f"{_share(way, mask)} {_percent(way, mask)}" for way in ways.values())
        table.add_row("all", kind, *said)
    sources = np.array([each.source for each in found])
    for source in np.unique(sources):
        for kind, mask in (("covered", covered), ("bare", ~covered)):
            here = mask & (sources == source)
            if here.any():
                table.add_row(str(source), kind, *(_share(way, here) for way in ways.values()))
    console.print(table)


def _arrays(found: Sequence[Mouth]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    """Return features, shape (n, 3), which mouths are covered, and folds."""
    features = np.array([each.colours.features for each in found])
    return features, np.array([each.covered for each in found]), np.array([each.fold for each in found])


def _share(said: NDArray[np.bool_], mask: NDArray[np.bool_]) -> str:
    return f"{int(said[mask].sum())} of {int(mask.sum())}"


def _percent(said: NDArray[np.bool_], mask: NDArray[np.bool_]) -> str:
    count, trials = int(said[mask].sum()), int(mask.sum())
    known = proportion(count, trials, confidence=0.95)
    return "(none)" if known is None else f"({known.rate:.1%}; {known.lower:.1%} to {known.upper:.1%})"


_FRONTAL: Final = 10.0
"""Yaw and pitch up to which a face is frontal, degrees."""


def frontal(view: PortraitView) -> bool:
    """Return whether a face is frontal."""
    return max(abs(view.pose.yaw), abs(view.pose.pitch)) <= _FRONTAL


def mean_mask(faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return a mask with 1 where more than half of the faces and their mirror images have the face."""
    share = np.mean(faces, axis=0)
    return np.asarray((share + share[:, ::-1]) / 2 > 0.5, dtype=np.uint8)


def farthest(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the Hausdorff distance of the borders of two masks, pixels."""
    borders = [cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) for mask in (one, other)]
    away = [cv2.distanceTransform((1 - border).astype(np.uint8), cv2.DIST_L2, 5) for border in borders]
    return float(max(away[1][borders[0] > 0].max(), away[0][borders[1] > 0].max()))


def print_outlines(found: Mapping[str, Sequence[PortraitView]], console: Console, *, seed: int) -> None:
    """Compare the packs' mean masks with the shipped outline, and two ways to find the transform.

    Args:
        found: Portraits of frontal faces by name of the pack.
    """
    masks = {
        name: mean_mask([view.aligned.mask for view in views if view.aligned is not None])
        for name, views in found.items()
    }
    shipped = np.zeros_like(next(iter(masks.values())))
    cv2.fillConvexPoly(shipped, cv2.convexHull(np.rint(MEAN_OUTLINE).astype(np.int32)), 1)
    for name, mask in masks.items():
        console.print(
            f"Mean outline of {len(found[name])} frontal faces ({name}): at most "
            f"{farthest(mask, shipped):.1f} pixels from the shipped one, {_sizes(mask, shipped)}."
        )
        squares, medians = _wavering(found[name], np.random.default_rng(seed))
        console.print(
            f"Distance of the eyes under noise of 1 % ({name}), 90 of 100 below: {squares:.1f} pixels by "
            f"least squares, {medians:.1f} by least median of squares."
        )
    for one, other in itertools.combinations(masks, 2):
        console.print(f"{one} and {other}: at most {farthest(masks[one], masks[other]):.1f} pixels apart.")


def _sizes(mask: NDArray[np.uint8], shipped: NDArray[np.uint8]) -> str:
    return f"{float((mask != shipped).sum() / shipped.sum()):.1%} of its area differs"


def _wavering(views: Sequence[PortraitView], rng: np.random.Generator) -> tuple[float, float]:
    """Return how far each way's distance of the aligned eyes varies under noise on the points, pixels."""
    moved = []
    for view in views:
        parts = face_parts(view.face.five_points, view.landmarks)
        if parts is None:
            continue
        noise = 0.01 * view.face.eye_distance * rng.standard_normal((5, 2))
        clean, noisy = (np.array(_scales(points)) for points in (parts.five, parts.five + noise))
        moved.append(ALIGNED_EYE_DISTANCE * np.abs(noisy / clean - 1))
    squares, medians = np.quantile(moved, 0.9, axis=0).tolist()
    return float(squares), float(medians)


def _scales(points: NDArray[np.float64]) -> tuple[float, float]:
    squares = similarity_transform(points.astype(np.float32), FIVE_ALIGNED)
    medians, _ = cv2.estimateAffinePartial2D(points, FIVE_ALIGNED.astype(np.float64), method=cv2.LMEDS)
    one, other = (float(np.hypot(matrix[0, 0], matrix[1, 0])) for matrix in (squares, medians))
    return one, other


_BLURS: Final = (0.0, 0.8, 1.6, 2.0, 3.0, 4.0)
"""Standard deviations of a Gaussian, pixels of a portrait with an eye distance of 113 pixels."""
_MOVES: Final = (7, 11)
"""Lengths of a movement, same unit."""
_NOISES: Final = (0.0, 2.0, 4.0)
"""Standard deviations of the sensor's noise, grey levels."""
_SHARP: Final = ("blur 0", "blur 0.8")
_WORSE: Final = {
    "blurred (2 to 4)": ("blur 2", "blur 3", "blur 4"),
    "moved (7 or 11)": ("move 7", "move 11"),
}


def blurred(image: BgrImage, deviation: float) -> BgrImage:
    """Return an image as if out of focus."""
    return cv2.GaussianBlur(image, (0, 0), deviation).astype(np.uint8) if deviation else image


def moved(image: BgrImage, length: int, *, degrees: float) -> BgrImage:
    """Return an image as if person or camera had moved in a straight line, ``length`` pixels (odd)."""
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), degrees, 1)
    turned = cv2.warpAffine(line, turn, (length, length))
    return cv2.filter2D(image, -1, turned / turned.sum()).astype(np.uint8)


def ordered_pairs(sharp: NDArray[np.float64], worse: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the sharp photo measures more than the worse; ties count half."""
    above = (sharp[:, None] > worse[None, :]).mean()
    return float(above + (sharp[:, None] == worse[None, :]).mean() / 2)


def print_sharpness(portraits: Sequence[PortraitView], console: Console, *, seed: int) -> None:
    """Measure every portrait in every state, with noise, and print the results.

    Args:
        portraits: Portraits with an eye distance of 113 pixels.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[float]]] = {}
    for portrait in track(portraits, description="sharpness", console=Console(stderr=True)):
        states = {f"blur {deviation:g}": blurred(portrait.image, deviation) for deviation in _BLURS}
        degrees = float(rng.uniform(0, 180))
        states |= {f"move {length}": moved(portrait.image, length, degrees=degrees) for length in _MOVES}
        for name, image in states.items():
            found.setdefault(name, []).append([_measured(portrait, image, noise, rng) for noise in _NOISES])
    values = {name: np.array(rows) for name, rows in found.items()}
    table = Table(
        "state", "no noise: median", "10 of 100 below", "all noises: median", title=f"{len(portraits)} photos"
    )
    for name, rows in values.items():
        bare = rows[:, 0]
        figures = (np.median(bare), np.quantile(bare, 0.1), np.median(rows))
        table.add_row(name, *(f"{value:.3f}" for value in figures))
    console.print(table)
    sharp = np.concatenate([values[name].ravel() for name in _SHARP])
    for kind, names in _WORSE.items():
        worse = np.concatenate([values[name].ravel() for name in names])
        console.print(f"Sharp (blur 0 or 0.8) above {kind}: {ordered_pairs(sharp, worse):.1%} of all pairs.")


def _measured(portrait: PortraitView, image: BgrImage, noise: float, rng: np.random.Generator) -> float:
    noisy = image + noise * rng.standard_normal(image.shape)
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return sharpness(replace(portrait, image=pixels)).measured or 0.0
