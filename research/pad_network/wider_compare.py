"""Compares the networks of ``wider_run`` with the packaged one, on what neither was trained on.

Every clip is judged by the network that was trained without its source, by the median of its frames, and
every held-out picture by both networks. The packaged network was trained on pictures of one source of clips,
so that this source's clips are in no paired comparison.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.pad_network.comparison import Standing, compare
from research.pad_network.errors import MaterialError
from research.pad_network.judging import picture_scores
from research.pad_network.regions import Region
from research.pad_network.split import HELD_OUT, persons, read_plan
from research.pad_network.stages import Workplace
from research.pad_network.wider import PARTS, is_frame, left_out_of
from vision.face import DetectedFace
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import PadNetwork, load_pack
from vision.packs.facegate_pad import load_facegate_pad, read_facegate_pad
from vision.packs.pad_two_crops import TwoCropPadNetwork

__all__ = ["compare_clips", "compare_pictures", "part_path"]

_CPU: Final = RuntimeOptions(providers="cpu")
_DETECTORS: Final = ("YuNet", "dlib")


def part_path(work: Path, part: int) -> Path:
    """Return the file of the network that was trained without a part."""
    return work / f"wider_part_{part}.onnx"


def compare_pictures(work: Path, assets: Path) -> Mapping[str, tuple[Standing, ...]]:
    """Compare on the held-out pictures; each value starts with the packaged network.

    Args:
        work: Folder of the stages.
        assets: Folder with ``data/`` and ``models/``.

    Raises:
        MaterialError: A file of a stage is missing.
    """
    place = Workplace.open(work)
    chosen = np.flatnonzero(place.fold == HELD_OUT).tolist()
    networks = [_packaged(), *(_student(work, part) for part in range(PARTS))]
    found = {}
    for name, spec in zip(_DETECTORS, (f"open:{assets / 'models'}", "embedded"), strict=True):
        scores = picture_scores(place, assets, chosen, load_pack(spec, runtime=_CPU).detector, networks)
        found[f"held-out pictures, {name}"] = _standings(
            scores,
            [place.regions[index] for index in chosen],
            place.person[chosen].tolist(),
        )
    return found


def compare_clips(regions: Sequence[Region], work: Path) -> Mapping[str, tuple[Standing, ...]]:
    """Compare on the clips, with each detector's boxes; each value starts with the packaged network.

    Args:
        regions: All regions of ``wider_run``.
        work: Folder of the stages.

    Raises:
        MaterialError: A network is missing.
    """
    who = persons(regions)
    students, packaged = [_student(work, part) for part in range(PARTS)], _packaged()
    trained = frozenset().union(*read_plan().folds)
    clips: dict[str, list[int]] = {}
    pair: dict[str, tuple[PadNetwork, PadNetwork]] = {}
    for part in range(PARTS):
        for index in np.flatnonzero(left_out_of(regions, part)[1]).tolist():
            region = regions[index]
            if is_frame(region) and region.source not in trained and len(region.boxes) == len(_DETECTORS):
                clips.setdefault(region.session, []).append(index)
                pair[region.session] = packaged, students[part]
    found = {}
    for at, detector in enumerate(_DETECTORS):
        medians = np.array(
            [
                [_median(network, [regions[index] for index in frames], at) for network in pair[clip]]
                for clip, frames in clips.items()
            ]
        )
        first = [frames[0] for frames in clips.values()]
        found[f"clips, {detector}"] = _standings(
            {packaged.name: medians[:, 0], "wider": medians[:, 1]},
            [regions[index] for index in first],
            who[first].tolist(),
        )
    return found


def _standings(
    scores: Mapping[str, NDArray[np.float64]], regions: Sequence[Region], who: Sequence[int]
) -> tuple[Standing, ...]:
    known = np.all([np.isfinite(values) for values in scores.values()], axis=0)
    seen = np.flatnonzero(known).tolist()
    return compare(
        {name: values[known] for name, values in scores.items()},
        np.array([regions[index].is_live for index in seen]),
        [regions[index].source for index in seen],
        [who[index] for index in seen],
    )


def _median(network: PadNetwork, frames: Sequence[Region], detector: int) -> float:
    no_points = np.zeros((5, 2), dtype=np.float32)
    return float(
        np.median(
            [
                network.real_probability(
                    frame.image,
                    DetectedFace(box=frame.boxes[detector], confidence=1.0, five_points=no_points),
                )
                for frame in frames
            ]
        )
    )


def _packaged() -> PadNetwork:
    return load_facegate_pad(read_facegate_pad(), _CPU)


def _student(work: Path, part: int) -> TwoCropPadNetwork:
    path = part_path(work, part)
    try:
        session = create_session(path.read_bytes(), _CPU, name=path.name)
    except OSError as error:
        raise MaterialError(f"{path.name} cannot be read: run the stage `train` first") from error
    return TwoCropPadNetwork(name=f"wider {part}", session=session)
