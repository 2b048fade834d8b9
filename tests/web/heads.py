"""Pictures of a head with depth at many distances; the page's camera shows the one that fits the oval."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.behaviour import PersonState
from lab.simulator.geometry import ReliefPose
from lab.simulator.person import Person
from lab.simulator.photo import Photo
from lab.simulator.scene import CameraSettings, ScanKind, SceneSettings
from liveness import face_extent
from vision.packs.interfaces import FaceDetector

SIZE: Final = (1280, 720)
"""Width and height of the camera's picture."""
_FACE_WIDTH: Final = 0.2
"""Of the face at rest, as a share of the picture's width: at arm's length from a laptop."""
_WIDEST: Final = 1.8
_DISTANCES: Final = 60
_CLOSURES: Final = (0.0, 0.5, 1.0)
_BACKGROUND: Final = 128
_QUALITY: Final = 95


def render_heads(photo: Photo, detector: FaceDetector, folder: Path) -> list[dict[str, Any]]:
    """Render a person from far to near, each time a little nearer than before, and the room behind.

    Args:
        detector: Finds the face in each picture.
        folder: Gets the pictures: WebP, in which all but the person is transparent, and ``room.webp``.

    Returns:
        For each distance, the names of its files, from open to shut eyes, and where the face is: its middle
        and its width from ear to ear, pixels.
    """
    settings = SceneSettings(
        kind=ScanKind.GENUINE,
        seed=5,
        seconds=30,
        width=SIZE[0],
        height=SIZE[1],
        face_width=_FACE_WIDTH,
        camera=CameraSettings(field_of_view_degrees=70),
    )
    person = Person(photo, settings, np.random.default_rng(5))
    _write(folder / "room.webp", person.backdrop.show(pan=(0.0, 0.0), camera=ReliefPose()))
    growths = np.geomspace(1 / _WIDEST, _WIDEST, _DISTANCES)
    faces = []
    for index, growth in enumerate(growths):
        head = ReliefPose(approach=1 - 1 / float(growth))
        for lids, closure in enumerate(_CLOSURES):
            layer = person.render(PersonState(head=head, closure=closure)).layer
            _write(folder / f"{index}-{lids}.webp", layer)
            if closure == 0:
                cover = layer[:, :, 3:].astype(np.float32) / 255
                shown = layer[:, :, :3] * cover + _BACKGROUND * (1 - cover)
                faces.append(face_extent(detector.detect(shown.astype(np.uint8))[0]))
    # A detector errs a little in each picture; a person who comes nearer grows evenly.
    widths = np.exp(_smooth(np.log(growths), np.log([face.width for face in faces])))
    xs = _smooth(growths, np.array([face.x for face in faces]))
    ys = _smooth(growths, np.array([face.y for face in faces]))
    return [
        {
            "names": [f"{index}-{lids}.webp" for lids in range(len(_CLOSURES))],
            "x": float(x),
            "y": float(y),
            "width": float(width),
        }
        for index, (x, y, width) in enumerate(zip(xs, ys, widths, strict=True))
    ]


def _write(file: Path, picture: NDArray[np.uint8]) -> None:
    encoded = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    file.write_bytes(encoded.tobytes())


def _smooth(at: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values of the parabola that is closest to some."""
    return np.asarray(np.polyval(np.polyfit(at, values, 2), at), np.float64)
