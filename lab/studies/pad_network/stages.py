"""The stages that make the network: regions and shards, cross-validation, final training, export."""

import importlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.packs.facegate_pad import tight_and_wide
from lab.studies.pad_network.export import Calibration, fit_calibration
from lab.studies.pad_network.material import (
    MaterialError,
    Region,
    TrainingUnavailable,
    cut_region,
    divide,
    load_regions,
    pad_pictures,
    persons,
    portrait_pictures,
    read_plan,
    save_regions,
)
from lab.studies.pad_network.pool import Shard, load_shard, make_shard, save_shard
from lab.studies.pad_network.teachers import load_teachers
from vision.packs import Pack

_SHARD: Final = 2048
_FIRST_SEED: Final = 3000
_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folder with the files of the stages, and their content.

    Attributes:
        folder: Regions, shards and logits.
        fold: Shape (regions,), result of ``divide``.
        person: Shape (regions,), result of ``persons``.
    """

    folder: Path
    regions: Sequence[Region]
    fold: NDArray[np.int64]
    person: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path) -> "Workplace":
        """Read the regions of ``folder``.

        Raises:
            MaterialError: There are no regions, or they do not fit the plan of the split.
        """
        regions = load_regions(folder / "regions.npz")
        who = persons(regions)
        return cls(folder=folder, regions=regions, fold=divide(regions, who, read_plan()), person=who)

    def shards(self) -> Callable[[int], Shard]:
        """Return a function that gives the shard of each round; after the last, the first follows.

        Raises:
            MaterialError: There are no shards.
        """
        paths = sorted(self.folder.glob("shard_*.npz"))
        if not paths:
            raise MaterialError("there are no shards: run the stage `prepare` first")
        kept: dict[int, Shard] = {}

        def shard_at(number: int) -> Shard:
            number %= len(paths)
            if number not in kept:
                kept[number] = load_shard(paths[number])
            if len(kept) > _KEPT:
                kept.pop(next(iter(kept)))
            return load_shard(paths[number]) if number not in kept else kept[number]

        return shard_at

    def training_regions(self, fold: int) -> NDArray[np.bool_]:
        """Return a mask of the regions for training when ``fold`` is the test fold.

        Held-out regions and the regions of persons in ``fold`` are excluded.
        """
        tested = np.isin(self.person, self.person[self.fold == fold])
        return np.asarray((self.fold >= 0) & (self.fold != fold) & ~tested, dtype=np.bool_)


def cut_regions(assets: Path, folder: Path, *, packs: Sequence[Pack]) -> int:
    """Cut every image and write the regions; return the number of images with a face.

    Raises:
        MaterialError: A manifest cannot be read or the file cannot be written.
    """
    pictures = [*pad_pictures(assets / "data" / "pad"), *portrait_pictures(assets / "data" / "faces")]
    regions = [region for each in pictures if (region := cut_region(each, packs=packs)) is not None]
    save_regions(folder / "regions.npz", regions)
    return len(regions)


def make_pool(place: Workplace, *, models: Path, shards: int, report: Callable[[int], None]) -> None:
    """Write the missing shards.

    Args:
        models: Folder with the teachers.
        report: Called with each shard's number.

    Raises:
        MaterialError: A teacher is missing or a shard cannot be written.
    """
    cv2.setNumThreads(1)
    teachers = load_teachers(models)
    chosen = np.flatnonzero(place.fold >= 0).tolist()
    for number in range(shards):
        path = place.folder / f"shard_{number:03d}.npz"
        if not path.exists():
            seed = _FIRST_SEED + number
            save_shard(path, make_shard(place.regions, chosen, teachers=teachers, count=_SHARD, seed=seed))
        report(number)


def cross_validate(place: Workplace, *, samples: int, report: Callable[[str], None]) -> Calibration:
    """Train once for each fold and score the fold with this network; calibrate on all scores.

    Args:
        place: The workplace, to which logits and the calibration are written.
        report: Called with a line for each finished fold.

    Raises:
        TrainingUnavailable: PyTorch is not installed.
        MaterialError: There are no shards.
    """
    training = _training()
    logits = np.full(len(place.regions), np.nan)
    for fold in sorted(set(place.fold[place.fold >= 0].tolist())):
        tested = np.flatnonzero(
            (place.fold == fold) & np.array([each.species != "portrait" for each in place.regions])
        )
        if tested.size == 0:
            continue
        student = training.train(
            place.shards(), place.training_regions(fold), training.Recipe(samples=samples)
        )
        logits[tested] = training.trained_logits(student, _crops(place, tested))
        report(f"fold {fold}: {tested.size} pictures")
    known = np.flatnonzero(np.isfinite(logits))
    is_live = np.array([place.regions[index].is_live for index in known.tolist()])
    calibration = fit_calibration(logits[known], is_live, _balance(place, known))
    lines = {
        "calibration": {"scale": calibration.scale, "shift": calibration.shift},
        "logits": {place.regions[index].name: float(logits[index]) for index in known.tolist()},
    }
    (place.folder / "cross_validation.json").write_text(json.dumps(lines, indent=1), encoding="utf-8")
    return calibration


def train_last(place: Workplace, *, samples: int, report: Callable[[str], None]) -> bytes:
    """Train on every fold, calibrate with the cross-validation's scores, and make the ONNX file.

    Args:
        place: The workplace with the calibration of ``cross_validate``.
        report: Called with a line after each round.

    Raises:
        TrainingUnavailable: PyTorch is not installed.
        MaterialError: There are no shards or no calibration.
    """
    from lab.studies.pad_network.export import student_to_onnx

    training = _training()
    student = training.train(
        place.shards(),
        place.fold >= 0,
        training.Recipe(samples=samples),
        report=lambda number, loss, _: report(f"round {number}: loss {loss:.3f}"),
    )
    state = {name: values.detach().contiguous().numpy() for name, values in student.state_dict().items()}
    calibration = _calibration(place.folder / "cross_validation.json")
    return student_to_onnx(state, scale=calibration.scale, shift=calibration.shift)


def _crops(place: Workplace, chosen: NDArray[np.int64]) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    return [tight_and_wide(place.regions[index].image, place.regions[index].boxes[0]) for index in chosen]


def _balance(place: Workplace, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight each source by the square root of its images, as in training."""
    sources = [place.regions[index].source for index in chosen.tolist()]
    sizes = Counter(sources)
    return np.array([sizes[source] ** -0.5 for source in sources])


def _calibration(path: Path) -> Calibration:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["calibration"]
        return Calibration(scale=float(values["scale"]), shift=float(values["shift"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MaterialError(f"{path.name} holds no calibration: run the stage `validate` first") from error


def _training() -> ModuleType:
    try:
        return importlib.import_module("lab.studies.pad_network.training")
    except ModuleNotFoundError as error:
        raise TrainingUnavailable(
            "PyTorch is not installed: run `pip install torch==2.13.0`, or install facegate[training]"
        ) from error
