"""Figures for images and videos: the face, the patterns on it, the crops of the networks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cli.analyze.pictures import colour_map, jpeg_uri, png_uri, reduced
from liveness.express import PadScore, fine_structure
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import PadNetwork

__all__ = ["Figure", "Group", "crops", "face_figure", "pattern_group", "whole_spectrum"]

_LONGEST: Final = 900
_SIDE: Final = 192
_LOWEST: Final = 0.1
"""Cycles per pixel, as in ``liveness.express.frame_cues``."""

_STRONG: Final = 12.0
"""Ratio to the power of nearby frequencies that is shown brightest; about 2 is usual."""


@runtime_checkable
class _ShowsCrops(Protocol):
    """A PAD network that can show its input."""

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        """Returns the network's crops of a face, each of shape (height, width, 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An image, perhaps with drawings over it, or a chart.

    Attributes:
        caption: The caption.
        uri: The image as a data URI; empty for a chart.
        alt: Its text for screen readers.
        kind: A class of the style sheet.
        over: Drawings over the image: the name of each in ``analyze_file.html``, and its values.
        chart: Name of the chart in ``analyze_file.html``; empty for an image.
        drawn: The chart's values.
    """

    caption: str
    uri: str = ""
    alt: str = ""
    kind: str = ""
    over: Sequence[tuple[str, Mapping[str, Any]]] = ()
    chart: str = ""
    drawn: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Figures, or facts, below a title. It is not shown if it has neither.

    Attributes:
        title: The title.
        said: An explanation of the figures.
        figures: The figures.
        facts: Names and values.
        kind: Their layout, a class of the style sheet.
    """

    title: str
    said: str
    figures: Sequence[Figure] = ()
    facts: Sequence[tuple[str, str]] = ()
    kind: str = ""


def face_figure(
    pixels: BgrImage,
    faces: Sequence[DetectedFace],
    landmarks: Landmarks | None,
    *,
    alt: str,
    caption: str,
    longest: int = _LONGEST,
) -> Figure:
    """Returns the image, reduced, with the boxes and points of the faces over it.

    Args:
        pixels: The upright image.
        faces: The faces; ``landmarks`` are of the first.
        landmarks: Dense landmarks; None without them.
        alt: The text for screen readers.
        caption: The caption.
        longest: Longer side of the copy, pixels.
    """
    height, width = pixels.shape[:2]
    dense = [] if landmarks is None else landmarks.points.tolist()
    over = [
        (
            "face",
            {
                "size": (width, height),
                "face": face,
                "landmarks": dense if at == 0 else (),
                "label": f"Box and five points of face {at + 1}, found with confidence {face.confidence:.2f}",
            },
        )
        for at, face in enumerate(faces)
    ]
    return Figure(uri=jpeg_uri(reduced(pixels, longest)), over=over, alt=alt, caption=caption)


def crops(
    networks: Sequence[PadNetwork], scores: Sequence[PadScore], pixels: BgrImage, face: DetectedFace
) -> list[Figure]:
    """Returns each network's crops of a frame, pixel by pixel, with its score if it scored the frame.

    Args:
        networks: The networks; one that cannot show its input is omitted.
        scores: Their scores of this frame.
        pixels: The frame.
        face: Its face.
    """
    said: Mapping[str, float] = {score.network: score.real_probability for score in scores}
    return [
        Figure(
            uri=png_uri(crop),
            alt=f"The face with its surroundings, as input of {network.name}",
            caption=f"{network.name}: real with probability {said[network.name]:.3f}"
            if network.name in said
            else f"{network.name}: did not score this frame",
            kind="exact",
        )
        for network in networks
        if isinstance(network, _ShowsCrops)
        for crop in network.crops(pixels, face)
    ]


def pattern_group(pixels: BgrImage, face: DetectedFace) -> Group:
    """Returns a map of each frequency's ratio to nearby ones; no figure if the face is too small."""
    return Group(
        title="Regular patterns (moire)",
        said="The ratio of each frequency to nearby ones, in windows of the frame's own pixels; frequency 0 "
        "is in the middle. The lowest frequencies are omitted, because faces themselves have structure "
        "there. A camera's frame of skin is dark nearly everywhere. Bright dots that mirror each other are a "
        "regular pattern: a screen's pixels, or a printer's dots.",
        figures=list(_map(pixels, face)),
    )


def whole_spectrum(half: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the full spectrum of a real-valued image, frequency 0 in the middle.

    Args:
        half: Shape (n, n / 2 + 1), n even, in the order of ``numpy.fft.rfft2``.

    Returns:
        Shape (n, n).
    """
    side = half.shape[0]
    whole = np.empty((side, side), half.dtype)
    whole[:, : half.shape[1]] = half
    rows, columns = np.arange(side), np.arange(half.shape[1], side)
    whole[:, columns] = half[np.ix_(-rows % side, side - columns)]
    return np.fft.fftshift(whole)


def _without_low(whole: NDArray[np.float32]) -> NDArray[np.float32]:
    side = whole.shape[0]
    down, across = np.indices(whole.shape) - side // 2
    return np.where(np.hypot(down, across) < _LOWEST * side, np.float32(0), whole)


def _map(pixels: BgrImage, face: DetectedFace) -> Iterator[Figure]:
    peaks = fine_structure(pixels, face)
    if peaks is None:
        return
    whole = _without_low(whole_spectrum(peaks))
    strongest = math.exp(float(whole.max()))
    yield Figure(
        uri=png_uri(colour_map(whole, side=_SIDE, limits=(0.0, math.log(_STRONG)))),
        alt="Ratio of each frequency of the face's brightness to nearby ones",
        caption=f"Brightness of the face: the strongest is {strongest:.1f} times as strong as those nearby.",
        kind="exact",
    )
