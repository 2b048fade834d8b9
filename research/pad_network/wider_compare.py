"""Compares a network of ``wider_run`` with the packaged one, on what neither was trained on.

A clip is judged by the median of its frames. Faces are cut as for training, at most 176 pixels wide, with
each detector's boxes. The packaged network was trained on pictures of one source of clips, so that this
source's clips are in no comparison.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from research.pad_network.comparison import NetworkFigures, compare
from research.pad_network.errors import MaterialError
from research.pad_network.regions import Region
from research.pad_network.split import persons, read_plan
from research.pad_network.wider import is_frame, left_out_of
from vision.face import DetectedFace
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import PadNetwork
from vision.packs.facegate_pad import load_facegate_pad, read_facegate_pad
from vision.packs.pad_two_crops import TwoCropPadNetwork

__all__ = ["compare_part", "part_path"]

_CPU: Final = RuntimeOptions(providers="cpu")
_DETECTORS: Final = ("YuNet", "dlib")


def part_path(work: Path, part: int) -> Path:
    """Return the file of the network that was trained without a part."""
    return work / f"wider_part_{part}.onnx"


def compare_part(
    regions: Sequence[Region], work: Path, part: int
) -> Iterator[tuple[str, int, int, tuple[NetworkFigures, ...]]]:
    """Compare on the held-out pictures and on the part's clips, with each detector's boxes.

    Args:
        regions: All regions of ``wider_run``.
        work: Folder of the stages.
        part: The part whose network is compared.

    Yields:
        A title, the numbers of bona fide presentations and of attacks, and the standings of the packaged
        network and of the part's.

    Raises:
        MaterialError: The network is missing.
    """
    networks = [load_facegate_pad(read_facegate_pad(), _CPU), _student(work, part)]
    who, trained = persons(regions), frozenset().union(*read_plan().folds)
    pictures: dict[str, list[int]] = {}
    clips: dict[str, list[int]] = {}
    for index in np.flatnonzero(left_out_of(regions, part)[1]).tolist():
        region = regions[index]
        if len(region.boxes) < len(_DETECTORS):
            continue
        if not is_frame(region):
            pictures[region.name] = [index]
        elif region.source not in trained:
            clips.setdefault(region.session, []).append(index)
    for kind, shown in (("held-out pictures", pictures), ("clips", clips)):
        first = [indices[0] for indices in shown.values()]
        is_live = np.array([regions[index].is_live for index in first])
        for at, detector in enumerate(_DETECTORS):
            scores = {
                network.name: np.array(
                    [_median(network, [regions[index] for index in each], at) for each in shown.values()]
                )
                for network in networks
            }
            sources = [regions[index].source for index in first]
            standings = compare(scores, is_live, sources, who[first].tolist())
            yield f"{kind}, {detector}", int(is_live.sum()), int((~is_live).sum()), standings


def _median(network: PadNetwork, frames: Sequence[Region], detector: int) -> float:
    no_points = np.zeros((5, 2), dtype=np.float32)
    faces = [
        (each.image, DetectedFace(box=each.boxes[detector], confidence=1.0, five_points=no_points))
        for each in frames
    ]
    return float(np.median([network.real_probability(image, face) for image, face in faces]))


def _student(work: Path, part: int) -> PadNetwork:
    path = part_path(work, part)
    try:
        session = create_session(path.read_bytes(), _CPU, name=path.name)
    except OSError as error:
        raise MaterialError(f"{path.name} cannot be read: run the stage `train` first") from error
    return TwoCropPadNetwork(name=f"wider, without part {part}", session=session)
