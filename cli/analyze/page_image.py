"""The figures for an image: the face, the maps of the eight signals, the crops of the networks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cli.analyze.page_figures import Figure, Group, crops, face_figure, pattern_group
from cli.analyze.pictures import colour_map, enlarged, jpeg_uri, png_uri, reduced
from cli.shown import printable
from formats.exif import ExifTags
from liveness.selfie import (
    SelfieSubject,
    face_spectrum,
    inner_square,
    lbp_codes,
    lbp_histogram,
    symmetric_pairs,
    texture_crop,
)
from server.analysis.results import ImageStudy
from vision.face import Box, DetectedFace
from vision.packs import PadNetwork

__all__ = ["exif_words", "image_groups"]

_SIDE: Final = 192
_CLOSE: Final = 1.6
"""Size of the close-up, as a multiple of the face."""
_LONGEST: Final = 640
_BRIGHTEST: Final = 99.8
"""Percentile of a spectrum that is shown brightest. The few values above it would darken all others."""


def image_groups(
    study: ImageStudy, *, exif: ExifTags | None, networks: Sequence[PadNetwork]
) -> Iterator[Group]:
    """Yields the groups of figures for one image.

    Args:
        study: The material of the analysis.
        exif: The camera's tags; None if they were not read.
        networks: The networks of the pack.
    """
    face = study.faces[0] if study.faces else None
    yield Group(
        title="The image",
        said="Yellow: the box that the detector found. Pink: its five points. Turquoise: dense landmarks.",
        figures=list(_views(study, face)),
        kind="first",
    )
    if face is not None:
        subject = SelfieSubject(
            image=study.pixels,
            face=face,
            landmarks=study.landmarks,
            exif=ExifTags() if exif is None else exif,
        )
        yield Group(
            title="Skin micro-texture (lbp_texture)",
            said="The number of each pixel's pattern of brighter and darker neighbours. Skin in a camera's "
            "frame is varied; prints and screens repeat a few patterns, and blurred copies are smooth.",
            figures=list(_texture(subject)),
        )
        yield Group(
            title="Frequencies (fft_deepfake)",
            said="The spectrum of the middle of the face, low frequencies in the centre. A camera's spectrum "
            "falls off evenly in all directions. Peaks off the centre and bright axes are grids: of a "
            "screen, of halftone or of a generator.",
            figures=list(_frequencies(subject)),
        )
        yield pattern_group(study.pixels, face)
        yield Group(
            title="Crops of the networks",
            said="The input of the networks, pixel by pixel, before any scaling of colours.",
            figures=crops(networks if study.pad_scores else (), study.pad_scores, study.pixels, face),
            kind="thumbs",
        )
    if exif is not None:
        yield Group(
            title="Tags of the camera (exif_metadata)",
            said="Anybody can write any tag, so tags are an indication and never a proof.",
            facts=[(name, printable(value)) for name, value in exif_words(exif).items()],
            kind="one",
        )


def exif_words(exif: ExifTags) -> Mapping[str, str]:
    """Returns the tags in words, by name; only those that are present."""
    found = {
        "EXIF": exif.state.value.lower(),
        "Camera": " ".join(text for text in (exif.make, exif.model) if text),
        "F-stop": "" if exif.f_number is None else f"f/{exif.f_number:.3g}",
        "Exposure": "" if exif.exposure_seconds is None else _exposure(exif.exposure_seconds),
        "ISO": "" if exif.iso is None else str(exif.iso),
        "Focal length": "" if exif.focal_length_mm is None else f"{exif.focal_length_mm:.3g} mm",
        "Place": "written (not read)" if exif.has_gps else "",
        "Software": ", ".join(exif.software),
        "Comment": exif.comment or "",
    }
    return {name: text for name, text in found.items() if text}


def _views(study: ImageStudy, face: DetectedFace | None) -> Iterator[Figure]:
    height, width = study.pixels.shape[:2]
    count = {0: "No face was found", 1: "One face"}.get(len(study.faces), f"{len(study.faces)} faces")
    dense = "" if study.landmarks is None else f", {len(study.landmarks.points)} landmarks"
    yield face_figure(
        study.pixels,
        study.faces,
        study.landmarks,
        alt="The image with boxes and points of the faces",
        caption=f"{count} in {width} x {height} pixels{dense}.",
    )
    if face is not None:
        yield _mirrored(study, face)


def _mirrored(study: ImageStudy, face: DetectedFace) -> Figure:
    """Returns the face close up with the pairs of points for the measurement of symmetry."""
    pairs = symmetric_pairs(face.five_points if study.landmarks is None else study.landmarks)
    left, top, right, bottom = _around(face.box, study.pixels.shape[1], study.pixels.shape[0])
    close = study.pixels[top:bottom, left:right]
    size, placed = (right - left, bottom - top), pairs - (left, top)
    return Figure(
        uri=jpeg_uri(reduced(close, _LONGEST)),
        over=[("pairs", {"size": size, "pairs": placed.tolist(), "midline": _midline(placed, max(size))})],
        alt="The face close up, with lines between points that mirror each other",
        caption=f"The {len(pairs)} pairs of points of facial_symmetry, and their common midline.",
    )


def _midline(pairs: NDArray[np.float64], reach: int) -> list[list[float]]:
    """Returns two points of the line through the middle of pairs, perpendicular to their mean direction.

    Args:
        pairs: Shape (n, 2, 2): for each pair the left and the right point as (x, y).
        reach: Distance of each point from the middle, pixels.

    Returns:
        The points; none if the pairs have no direction.
    """
    across = (pairs[:, 1] - pairs[:, 0]).sum(axis=0)
    length = float(np.linalg.norm(across))
    if length <= 0:
        return []
    middle = pairs.mean(axis=(0, 1))
    along = np.array([-across[1], across[0]]) / length * reach
    ends: list[list[float]] = [(middle - along).tolist(), (middle + along).tolist()]
    return ends


def _around(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    (x, y), half = box.centre, _CLOSE * max(box.width, box.height) / 2
    left, right = int(max(0.0, x - half)), int(min(float(width), x + half))
    top, bottom = int(max(0.0, y - half)), int(min(float(height), y + half))
    # A detector's box may lie completely outside the image.
    if right - left < 1 or bottom - top < 1:
        return 0, 0, width, height
    return left, top, right, bottom


def _texture(subject: SelfieSubject) -> Iterator[Figure]:
    crop = texture_crop(subject)
    if crop is None:
        return
    codes = lbp_codes(crop)
    histogram = lbp_histogram(codes)
    most = int(histogram.argmax())
    yield Figure(
        uri=png_uri(enlarged(_bgr(crop), _SIDE)),
        alt="The face in grey at 96 x 96 pixels",
        caption="The face at 96 x 96 pixels.",
        kind="exact",
    )
    yield Figure(
        uri=png_uri(colour_map(codes, side=_SIDE)),
        alt="Map of uniform local binary patterns of the face",
        caption="Map of the uniform local binary patterns (Ojala et al. 2002).",
        kind="exact",
    )
    yield Figure(
        chart="bars",
        drawn={
            "values": histogram.tolist(),
            "label": "Histogram of the 59 patterns",
            "across": "pattern (58: not uniform)",
        },
        caption=f"Their frequencies: the most frequent, {most}, in {100 * histogram[most]:.0f} % of all.",
        kind="wide",
    )


def _frequencies(subject: SelfieSubject) -> Iterator[Figure]:
    square = inner_square(subject)
    if square is None or not np.ptp(square):
        return
    spectrum = face_spectrum(square)
    side = square.shape[0]
    yield Figure(
        uri=png_uri(enlarged(_bgr(square), _SIDE)),
        alt="The middle of the face in grey",
        caption=f"The middle of the face, {side} x {side} pixels.",
        kind="exact",
    )
    shown = np.minimum(spectrum.log_magnitude, np.percentile(spectrum.log_magnitude, _BRIGHTEST))
    yield Figure(
        uri=png_uri(colour_map(shown, side=_SIDE)),
        alt="Logarithm of the magnitude of the face's two-dimensional spectrum",
        caption="Its spectrum, logarithm of the magnitude.",
        kind="exact",
    )
    yield Figure(
        chart="line",
        drawn={
            "values": spectrum.radial_profile[1:].tolist(),
            "label": "Radial profile of the spectrum, from low to high frequencies",
            "across": "frequency, up to Nyquist's",
        },
        caption="Its radial profile: the mean over each ring (Durall et al. 2020).",
        kind="wide",
    )


def _bgr(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _exposure(seconds: float) -> str:
    return f"1/{1 / seconds:.0f} s" if seconds < 0.4 else f"{seconds:.3g} s"
