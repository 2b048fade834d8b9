"""Facegate's own PAD network: verifies and loads the weights that come with this package.

``docs/evaluating.md`` has its training data, terms and accuracy.
"""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.packs import load_catalogue
from vision.errors import ModelFailed, PackFileAltered, PackFileUnusable, PackNotFound
from vision.face import BgrImage, Box, DetectedFace
from vision.geometry import clamped_crop
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session
from vision.packs.pack_files import VerifiedFile

# Facegate's own PAD network: one classifier over two crops of the same face.
#
# The tight crop shows the texture of skin, ink or pixels. The wide one shows the surroundings of the face,
# such as the edge of a sheet or a device. ``docs/evaluating.md`` describes the network.

TIGHT_SIDE: Final = 112
"""Side of the tight crop, pixels; it spans the face's box."""
WIDE_SIDE: Final = 80
"""Side of the wide crop, pixels; it spans 2.7 times the box, as far as the frame reaches."""
_TIGHT_SCALE: Final = 1.0
_WIDE_SCALE: Final = 2.7
_INPUTS: Final = {"tight": [3, TIGHT_SIDE, TIGHT_SIDE], "wide": [3, WIDE_SIDE, WIDE_SIDE]}


def tight_and_wide(image: BgrImage, box: Box, *, rim: int = 0) -> tuple[BgrImage, BgrImage]:
    """Return the two crops of the network's input.

    ``rim`` adds pixels on each side of the tight crop, from which training takes shifted crops.

    Returns:
        Shapes (112, 112, 3), larger with a rim, and (80, 80, 3). Neither keeps the aspect ratio, and both
        stay inside the frame, because a mirrored border would show how tightly an image was cropped.
    """
    side = TIGHT_SIDE + 2 * rim
    return (
        clamped_crop(image, box, _TIGHT_SCALE * side / TIGHT_SIDE, side),
        clamped_crop(image, box, _WIDE_SCALE, WIDE_SIDE),
    )


class TwoCropPadNetwork:
    """A classifier over two crops; implements ``vision.packs.interfaces.PadNetwork``."""

    def __init__(self, *, name: str, session: OnnxSession) -> None:
        """Wrap a loaded network.

        Args:
            name: Its name in results.
            session: Inputs ``tight`` of shape (1, 3, 112, 112) and ``wide`` of shape (1, 3, 80, 80), BGR
                0..255; one output of shape (1, 1): the logit of a bona fide presentation.

        Raises:
            PackFileUnusable: The network has other shapes.
        """
        inputs = {str(entry.name): list(entry.shape[1:]) for entry in session.get_inputs()}
        outputs = session.get_outputs()
        if inputs != _INPUTS or len(outputs) != 1 or list(outputs[0].shape[1:]) != [1]:
            raise PackFileUnusable(f"the PAD network {name} has other inputs or outputs than Facegate's own")
        self._name = name
        self._session = session

    @property
    def name(self) -> str:
        """The network's name in results."""
        return self._name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """Return the network's own probability, 0..1, that ``face`` is a bona fide presentation.

        Raises:
            ModelFailed: The network could not be run.
        """
        try:
            tight, wide = tight_and_wide(image, face.box)
            logit = self._session.run(None, {"tight": _blob(tight), "wide": _blob(wide)})[0][0, 0]
        except Exception as error:
            raise ModelFailed(f"the PAD network {self._name} failed ({type(error).__name__})") from error
        return float(1 / (1 + np.exp(-np.float64(logit))))

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        """Return the network's input: the tight crop and the wide one; see ``tight_and_wide``."""
        return tight_and_wide(image, face.box)


def _blob(crop: BgrImage) -> NDArray[np.float32]:
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None].astype(np.float32))


KIND: Final = "facegate_pad"
"""The network's kind in the catalogue."""


def read_facegate_pad() -> VerifiedFile:
    """Read the packaged weights.

    Raises:
        PackNotFound: The installation lacks the file.
        PackFileAltered: The file is not the catalogued one.
    """
    entry = load_catalogue().only(KIND)
    try:
        content = (files("lab.packs") / entry.file_name).read_bytes()
    except OSError as error:
        raise PackNotFound(
            f"{entry.file_name} is missing in this installation of facegate-lab: install it again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise PackFileAltered(name=entry.file_name, expected=entry.sha256, found=found)
    return VerifiedFile(path=Path(entry.file_name), entry=entry, sha256=found, content=content)


def load_facegate_pad(file: VerifiedFile, runtime: RuntimeOptions) -> TwoCropPadNetwork:
    """Load the network of ``file``.

    Raises:
        PackFileUnusable: The runtime cannot load it.
    """
    session = create_session(file.content, runtime, name=file.path.name)
    return TwoCropPadNetwork(name=file.entry.name, session=session)
