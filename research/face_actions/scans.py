"""Makes and measures the scans: live clips, rigid masks made from them, and both with a drawn mouth."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from evaluation.scans import clip_windows
from liveness import face_extent
from research.face_actions.actions import Action, measure
from research.temporal_cues.paper_mask import WornMask, wear
from simulator.appearance.mouth import Mouth, MouthPlace
from vision.face import BgrImage, Landmarks
from vision.packs import Pack

__all__ = ["ActionScan", "Shown", "open_mouth", "scans_of"]

_RATE, _SECONDS = 5.0, 3.0
_MASK_FRAMES: Final = 30
_EVERY: Final = 2
"""Of the frames of a mask, 15 a second, every second one is measured."""
_YAW, _PITCH = 20.0, 6.0
"""The largest turns of a mask, degrees, as in ``research.temporal_cues``."""
_CORNERS, _LOWER_LIP, _BRIDGE, _CHIN = (61, 291), (78, 178, 14, 402, 308), 168, 152
"""MediaPipe's indices; the inner edge of the lower lip is from the image's left to its right."""
_WIDEST: Final = 0.2
"""The drawn gap over the distance from nose bridge to chin, when the mouth is fully open: 2.5 centimetres."""


class Shown(StrEnum):
    """The person or mask in a scan."""

    LIVE = "live, not asked"
    LIVE_OPENING = "live, mouth drawn open with the jaw"
    MASK = "rigid mask"
    MASK_LIPS = "rigid mask, living lips drawn"


@dataclass(frozen=True, slots=True)
class ActionScan:
    """The measured frames of a scan.

    Attributes:
        clip: Name of the clip that it is made from.
        shown: The person or mask in it.
        values: By action, the distances in the frames that have landmarks, centimetres.
    """

    clip: str
    shown: Shown
    values: Mapping[Action, tuple[float, ...]]


def scans_of(clip: Path, pack: Pack) -> Iterator[ActionScan]:
    """Yield the scans of a clip: one of each ``Shown``, or none if it is too short or starts without a face.

    Args:
        clip: A clip of a living person.
        pack: With MediaPipe's landmarks.
    """
    window = next(clip_windows(clip, most=1, seconds=_SECONDS, rate=_RATE), None)
    if window is None:
        return
    photo = window[len(window) // 3][1]
    faces = pack.detector.detect(photo)
    if not faces:
        return
    extent = face_extent(faces[0])
    backdrop = np.asarray(cv2.flip(photo, 0), np.uint8)
    place = (extent.x, extent.y, extent.width)
    mask = WornMask(photo, place, backdrop, _YAW, _PITCH, seed=0, frames=_MASK_FRAMES)
    worn = [image for at, (_, image) in enumerate(wear(mask)) if at % _EVERY == 0]
    yield from _pair(clip.name, [image for _, image in window], pack, Shown.LIVE, Shown.LIVE_OPENING)
    yield from _pair(clip.name, worn, pack, Shown.MASK, Shown.MASK_LIPS)


def open_mouth(image: BgrImage, landmarks: Landmarks, share: float, *, with_jaw: bool) -> BgrImage:
    """Return the image with the mouth further open.

    Args:
        image: The frame; the face is about upright.
        landmarks: MediaPipe's 478 points in it.
        share: 0 (as it is) to 1 (fully open).
        with_jaw: Whether the chin moves with the lower lip, as a person's does, or only the lips move, as in
            the hole of a mask.
    """
    points = landmarks.points
    place = MouthPlace(points[list(_CORNERS)], points[list(_LOWER_LIP)], points[_CHIN])
    gap = share * _WIDEST * float(np.linalg.norm(points[_CHIN] - points[_BRIDGE]))
    return Mouth(place, chin_moves=with_jaw).opened(image, gap)


def _pair(
    clip: str, frames: list[BgrImage], pack: Pack, unchanged: Shown, drawn: Shown
) -> Iterator[ActionScan]:
    """Yield the scan as it is, and with the mouth opened in its second half."""
    as_is: list[Landmarks] = []
    opened: list[Landmarks] = []
    for at, image in enumerate(frames):
        faces = pack.detector.detect(image)
        if not faces or pack.landmarker is None:
            continue
        found = pack.landmarker.locate(image, faces[0])
        if found is None:
            continue
        as_is.append(found)
        share = float(np.clip(4 * at / len(frames) - 2, 0, 1))
        shown = open_mouth(image, found, share, with_jaw=drawn is Shown.LIVE_OPENING)
        again = pack.landmarker.locate(shown, faces[0]) if share > 0 else found
        if again is not None:
            opened.append(again)
    yield _measured(clip, unchanged, as_is)
    yield _measured(clip, drawn, opened)


def _measured(clip: str, shown: Shown, frames: Iterable[Landmarks]) -> ActionScan:
    found = [values for values in map(measure, frames) if values is not None]
    return ActionScan(clip, shown, {action: tuple(each[action] for each in found) for action in Action})
