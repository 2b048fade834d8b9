"""Converts Silent-Face's published PAD weights to ONNX files.

::

    python -m lab.evaluation.minifasnet_onnx WEIGHTS.pth OUT.onnx

The catalogue lists the digest of the result beside that of the published ONNX file, so a pack loads either. A
folder pack loads the ``.pth`` file itself, too.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import OnnxPadNetwork, StateFileError, load_catalogue, minifasnet_to_onnx, read_state

__all__ = ["converted_network", "main"]

_KINDS: Final[Mapping[str, str]] = {
    "MiniFASNetV2": "MiniFASNetV2.onnx",
    "MiniFASNetV1SE": "MiniFASNetV1SE.onnx",
}


def converted_network(path: Path) -> OnnxPadNetwork:
    """Return the network of a ``.pth`` file, on the CPU, with the preprocessing that the catalogue states.

    Raises:
        StateFileError: The file's name is that of no network in the catalogue, or it contains another
            network.
        OSError: It cannot be read.
    """
    kind = next((kind for kind in _KINDS if kind in path.name), None)
    entry = load_catalogue().by_name(_KINDS[kind]) if kind else None
    if entry is None or entry.pad is None:
        raise StateFileError(f"{path.name} is named after none of {', '.join(_KINDS)}")
    model = minifasnet_to_onnx(read_state(path.read_bytes()))
    session = create_session(model, RuntimeOptions(providers="cpu"), name=path.name)
    return OnnxPadNetwork(name=entry.name, session=session, preprocessing=entry.pad)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not convert."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.evaluation.minifasnet_onnx", description="Convert Silent-Face's weights to ONNX."
    )
    parser.add_argument("weights", type=Path, help="a .pth file of Silent-Face-Anti-Spoofing")
    parser.add_argument("out", type=Path, help="ONNX file to write")
    options = parser.parse_args(arguments)
    try:
        options.out.write_bytes(minifasnet_to_onnx(read_state(options.weights.read_bytes())))
    except (StateFileError, OSError) as error:
        sys.stderr.write(f"could not convert: {error}\n")
        return 2
    return 0
