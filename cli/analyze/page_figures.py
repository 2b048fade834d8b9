"""Figures for images and videos: the face, the crops of the networks, the cues."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from cli.analyze.pictures import jpeg_uri, overlay, png_uri, reduced
from liveness.express import PadScore
from server.pages import NOTHING, Html, figure, image, joined
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import PadNetwork

__all__ = ["covered", "crops", "face_figure", "group"]

_LONGEST: Final = 900


@runtime_checkable
class _ShowsCrops(Protocol):
    """A PAD network that can show its input."""

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        """Returns the network's crops of a face, each of shape (height, width, 3)."""


def group(title: str, said: str, figures: Iterable[Html], *, kind: str = "") -> Html:
    """Returns figures below a title; nothing if there are no figures.

    Args:
        title: The title.
        said: An explanation of the figures.
        figures: The figures.
        kind: Their layout, a class of the style sheet.
    """
    shown = list(figures)
    if not shown:
        return NOTHING
    return Html('<h3>{}</h3>\n<p class="small">{}</p>\n<div class="{}">{}</div>').format(
        title, said, f"pictures {kind}".strip(), joined(shown)
    )


def covered(uri: str, over: Iterable[Html], *, alt: str, caption: str) -> Html:
    """Returns an image with drawings over it."""
    content = Html('<div class="covered">{}{}</div>').format(image(uri, alt=alt), joined(over))
    return figure(content, caption=caption)


def face_figure(
    pixels: BgrImage,
    faces: Sequence[DetectedFace],
    landmarks: Landmarks | None,
    *,
    alt: str,
    caption: str,
    longest: int = _LONGEST,
) -> Html:
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
    over = [
        overlay(
            size=(width, height),
            face=face,
            landmarks=landmarks if at == 0 else None,
            label=f"Box and five points of face {at + 1}, found with confidence {face.confidence:.2f}",
        )
        for at, face in enumerate(faces)
    ]
    return covered(jpeg_uri(reduced(pixels, longest)), over, alt=alt, caption=caption)


def crops(
    networks: Sequence[PadNetwork], scores: Sequence[PadScore], pixels: BgrImage, face: DetectedFace
) -> list[Html]:
    """Returns each network's crops of a frame, pixel by pixel, with its score if it scored the frame.

    Args:
        networks: The networks; one that cannot show its input is omitted.
        scores: Their scores of this frame.
        pixels: The frame.
        face: Its face.
    """
    said: Mapping[str, float] = {score.network: score.real_probability for score in scores}
    return [
        figure(
            image(png_uri(crop), alt=f"The face with its surroundings, as input of {network.name}"),
            caption=f"{network.name}: real with probability {said[network.name]:.3f}"
            if network.name in said
            else f"{network.name}: did not score this frame",
            kind="exact",
        )
        for network in networks
        if isinstance(network, _ShowsCrops)
        for crop in network.crops(pixels, face)
    ]
