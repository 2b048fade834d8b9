"""Facegate's own PAD network: verifies and loads the weights that come with this package.

``docs/pad_network.md`` has its training data, terms and accuracy.
"""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Final

from vision.errors import PackFileAltered, PackNotFound
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.catalogue import load_catalogue
from vision.packs.pad_two_crops import TwoCropPadNetwork
from vision.packs.verified_file import VerifiedFile

__all__ = ["KIND", "load_facegate_pad", "read_facegate_pad"]

KIND: Final = "facegate_pad"
"""The network's kind in the catalogue."""
_FOLDER: Final = "weights"


def read_facegate_pad() -> VerifiedFile:
    """Read the packaged weights.

    Raises:
        PackNotFound: The installation lacks the file.
        PackFileAltered: The file is not the catalogued one.
    """
    entry = load_catalogue().only(KIND)
    try:
        content = (files("vision.packs") / _FOLDER / entry.file_name).read_bytes()
    except OSError as error:
        raise PackNotFound(
            f"{entry.file_name} is missing in this installation of Facegate: install it again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise PackFileAltered(name=entry.file_name, expected=entry.sha256, found=found)
    return VerifiedFile(path=Path(entry.file_name), entry=entry, sha256=found, content=content)


def load_facegate_pad(file: VerifiedFile, runtime: RuntimeOptions) -> TwoCropPadNetwork:
    """Load the network of ``file``.

    Args:
        file: From ``read_facegate_pad``.
        runtime: The options of ONNX Runtime.

    Raises:
        PackFileUnusable: The runtime cannot load it.
    """
    session = create_session(file.content, runtime, name=file.path.name)
    return TwoCropPadNetwork(name=file.entry.name, session=session)
