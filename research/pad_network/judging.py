"""Compares the network with its teachers: on the folds of its validation, and on held-out data.

All networks score the same original images with the same boxes. An image in which the detector finds no face
is omitted for all of them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from research.pad_network.breakdown import Judgement, break_down
from research.pad_network.errors import MaterialError
from research.pad_network.material import pad_pictures
from research.pad_network.split import HELD_OUT
from research.pad_network.stages import Workplace
from vision.errors import ModelFailed
from vision.face import BgrImage
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import (
    FaceDetector,
    OnnxPadNetwork,
    PadNetwork,
    StateFileError,
    load_catalogue,
    load_pack,
    minifasnet_to_onnx,
    read_state,
)
from vision.packs.facegate_pad import load_facegate_pad, read_facegate_pad
from vision.packs.pad_two_crops import TwoCropPadNetwork

__all__ = ["compare_held_out", "compare_validated"]

_OURS: Final = "facegate_pad_v1"
_PAIR: Final = (
    ("2.7_80x80_MiniFASNetV2.pth", "MiniFASNetV2.onnx"),
    ("4_0_0_80x80_MiniFASNetV1SE.pth", "MiniFASNetV1SE.onnx"),
)
_CPU: Final = RuntimeOptions(providers="cpu")


def compare_validated(place: Workplace, assets: Path) -> Judgement:
    """Judge each image with the network that was trained without its fold and its person.

    Args:
        place: The workplace with the logits of ``cross_validate``.
        assets: Folder with ``data/`` and ``models/``.

    Raises:
        MaterialError: There are no logits, or a teacher is missing.
    """
    path = place.folder / "cross_validation.json"
    try:
        logits: Mapping[str, float] = json.loads(path.read_text(encoding="utf-8"))["logits"]
    except (OSError, ValueError, KeyError) as error:
        raise MaterialError(f"{path.name} holds no logits: run the stage `validate` first") from error
    chosen = [index for index, region in enumerate(place.regions) if region.name in logits]
    pack = load_pack(f"open:{assets / 'models'}", runtime=_CPU)
    scores = _scores(place, assets, chosen, pack.detector, _teachers(assets / "models"))
    ours = np.array([logits[place.regions[index].name] for index in chosen])
    return _judged("cross-validation", place, chosen, {_OURS: ours, **_with_mean(scores)})


def compare_held_out(place: Workplace, assets: Path, *, network: Path | None) -> list[Judgement]:
    """Judge the held-out sources, sessions and persons with the finished network and both detectors.

    Args:
        place: The workplace with the regions.
        assets: Folder with ``data/`` and ``models/``.
        network: An ONNX file; the packaged one if None.

    Raises:
        MaterialError: A teacher is missing.
        VisionError: The network cannot be loaded.
    """
    chosen = np.flatnonzero(place.fold == HELD_OUT).tolist()
    networks: list[PadNetwork] = [_own(network), *_teachers(assets / "models")]
    found = []
    for title, spec in (("held out, YuNet", f"open:{assets / 'models'}"), ("held out, dlib", "embedded")):
        detector = load_pack(spec, runtime=_CPU).detector
        scores = _with_mean(_scores(place, assets, chosen, detector, networks))
        found.append(_judged(title, place, chosen, scores))
    return found


def _own(network: Path | None) -> PadNetwork:
    if network is None:
        return load_facegate_pad(read_facegate_pad(), _CPU)
    session = create_session(network.read_bytes(), _CPU, name=network.name)
    return TwoCropPadNetwork(name=_OURS, session=session)


def _teachers(models: Path) -> list[PadNetwork]:
    networks = list(load_pack(f"open:{models}", runtime=_CPU).pad_networks)
    try:
        for file, name in _PAIR:
            entry = load_catalogue().by_name(name)
            if entry is None or entry.pad is None:
                raise MaterialError(f"the catalogue knows no {name}")
            content = minifasnet_to_onnx(read_state((models / file).read_bytes()))
            session = create_session(content, _CPU, name=file)
            networks.append(OnnxPadNetwork(name=entry.name, session=session, preprocessing=entry.pad))
    except (OSError, StateFileError) as error:
        raise MaterialError(f"a teacher cannot be loaded: {error}") from error
    return networks


def _scores(
    place: Workplace,
    assets: Path,
    chosen: Sequence[int],
    detector: FaceDetector,
    networks: Sequence[PadNetwork],
) -> dict[str, NDArray[np.float64]]:
    """Return each network's probabilities, shape (chosen,); NaN if no face is found."""
    paths = {picture.path.name: picture.path for picture in pad_pictures(assets / "data" / "pad")}
    values = np.full((len(chosen), len(networks)), np.nan)
    for row, index in enumerate(chosen):
        image = _image(paths[place.regions[index].name])
        try:
            faces = detector.detect(image)
            if faces:
                values[row] = [network.real_probability(image, faces[0]) for network in networks]
        except ModelFailed:
            continue
    return {network.name: values[:, at] for at, network in enumerate(networks)}


def _image(path: Path) -> BgrImage:
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        raise MaterialError(f"{path.name} cannot be read")
    return read.astype(np.uint8, copy=False)


def _with_mean(scores: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    others = [values for name, values in scores.items() if name != _OURS]
    return {**scores, "mean of the others": np.asarray(np.mean(others, axis=0), dtype=np.float64)}


def _judged(
    title: str, place: Workplace, chosen: Sequence[int], scores: Mapping[str, NDArray[np.float64]]
) -> Judgement:
    known = np.all([np.isfinite(values) for values in scores.values()], axis=0)
    seen = np.array(chosen, dtype=np.int64)[known]
    return break_down(
        title,
        regions=[place.regions[index] for index in seen],
        persons=place.person[seen].tolist(),
        scores={name: values[known] for name, values in scores.items()},
    )
