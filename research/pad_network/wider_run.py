"""Trains the packaged network's layers on more material, and compares both on sources that neither saw.

::

    python -m research.pad_network.wider_run cut --assets DIR --work WORK
    python -m research.pad_network.wider_run draw --assets DIR --work WORK --of pictures
    python -m research.pad_network.wider_run draw --assets DIR --work WORK --of frames
    python -m research.pad_network.wider_run train --work WORK --part 0
    python -m research.pad_network.wider_run compare --work WORK --part 0

``WORK`` is the folder of ``research.pad_network prepare --shards 0``. ``NOTES.md`` has the figures.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from research.pad_network.capture import captured, jittered, turned_about
from research.pad_network.errors import MaterialError, PadNetworkError
from research.pad_network.export import onnx_to_state, student_to_onnx
from research.pad_network.pool import load_shard, make_shard, save_shard
from research.pad_network.regions import Region, load_regions, save_regions
from research.pad_network.stages import Workplace
from research.pad_network.stronger import phone_processed, recaptured
from research.pad_network.teachers import load_teachers
from research.pad_network.wider import PARTS, clip_regions, left_out_of, photo_regions
from research.pad_network.wider_compare import compare_part, part_path
from vision.errors import VisionError
from vision.face import BgrImage, Box
from vision.packs import load_pack
from vision.packs.facegate_pad import read_facegate_pad

__all__ = ["main"]

_SHARD: Final = 512
_FIRST_SEEDS: Final = {"pictures": 7000, "frames": 8000}
_FACE: Final = 128
_SIMULATED: Final = 0.28
_PHONE: Final = 0.25
_ANSWERS: Final = 0.5
_FEATURES: Final = 1.0
_RATE: Final = 5e-4
_RATE_AFRESH: Final = 2e-3
_PHOTOS: Final = "photos.npz"
_CLIPS: Final = "clips.npz"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if a stage could not be done."""
    options = _parser().parse_args(arguments)
    try:
        options.stage(options)
    except (PadNetworkError, VisionError, OSError) as error:
        sys.stderr.write(f"could not {options.name}: {error}\n")
        return 2
    return 0


def stronger(region: Region, is_simulated: bool, random: np.random.Generator) -> tuple[BgrImage, Box]:
    """Alter a region with the stronger recapture and the phones; implements ``pool.Alteration``."""
    image, box = _of_size(region.image, region.boxes[int(random.integers(len(region.boxes)))])
    if random.random() < 0.5:
        image, box = turned_about(image, box)
    if is_simulated:
        if random.random() < 0.3:
            image, box = captured(image, box, random=random)
        image = recaptured(image, box, random=random)
    if random.random() < _PHONE:
        image = phone_processed(image, random=random)
    if random.random() < 0.9:
        image, box = captured(image, box, random=random)
    return image, jittered(box, random=random)


def _of_size(image: BgrImage, box: Box) -> tuple[BgrImage, Box]:
    scale = _FACE / max(box.width, box.height)
    if scale >= 1:
        return image, box
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    made = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return made, Box(box.left * scale, box.top * scale, box.right * scale, box.bottom * scale)


def _regions(work: Path) -> list[Region]:
    return [region for name in ("regions.npz", _PHOTOS, _CLIPS) for region in load_regions(work / name)]


def _cut(options: argparse.Namespace) -> None:
    grouping, shipped = load_pack(f"open:{options.assets / 'models'}"), load_pack("embedded")
    save_regions(options.work / _PHOTOS, photo_regions(options.assets, packs=[grouping]))
    save_regions(options.work / _CLIPS, clip_regions(options.assets, packs=[grouping, shipped]))


def _draw(options: argparse.Namespace) -> None:
    """Write shards of pictures or of frames; a region's number is its place in ``_regions``."""
    cv2.setNumThreads(1)
    place = Workplace.open(options.work)
    photos = load_regions(options.work / _PHOTOS)
    regions, chosen = [*place.regions, *photos], np.flatnonzero(place.fold >= 0).tolist()
    chosen += range(len(place.regions), len(regions))
    if options.of == "frames":
        frames = load_regions(options.work / _CLIPS)
        chosen = list(range(len(regions), len(regions) + len(frames)))
        regions += frames
    for number in range(options.first, options.first + options.shards):
        shard = make_shard(
            regions,
            chosen,
            teachers=load_teachers(options.assets / "models"),
            count=_SHARD,
            seed=_FIRST_SEEDS[options.of] + number,
            simulated=_SIMULATED,
            alteration=stronger,
        )
        save_shard(options.work / f"wider_{number:03d}_{options.of}.npz", shard)
        sys.stderr.write(f"shard {number} of {options.of}\n")


def _train(options: argparse.Namespace) -> None:
    training = importlib.import_module("research.pad_network.training")
    shards = [load_shard(path) for path in sorted(options.work.glob("wider_[0-9]*.npz"))]
    if not shards:
        raise MaterialError("there are no shards: run the stage `draw` first")
    allowed, _ = left_out_of(_regions(options.work), options.part)
    student = training.train(
        lambda number: shards[number % len(shards)],
        allowed,
        training.Recipe(
            samples=options.samples,
            rate=_RATE_AFRESH if options.afresh else _RATE,
            answers_weight=_ANSWERS,
            features_weight=_FEATURES,
            hardness=options.hardness,
        ),
        shards=len(shards),
        start=None if options.afresh else onnx_to_state(read_facegate_pad().content),
        report=lambda number, loss, _: sys.stderr.write(f"round {number}: loss {loss:.3f}\n"),
    )
    state = {name: values.detach().contiguous().numpy() for name, values in student.state_dict().items()}
    part_path(options.work, options.part).write_bytes(student_to_onnx(state))


def _compare(options: argparse.Namespace) -> None:
    for title, live, attacks, standings in compare_part(_regions(options.work), options.work, options.part):
        sys.stdout.write(f"{title}: {live} live, {attacks} attacks\n")
        for each in standings:
            gain = each.area_gain
            sys.stdout.write(
                f"  {each.name}: AUC {each.area.value:.3f} [{each.area.low:.3f}, {each.area.high:.3f}],"
                f" BPCER10 {each.bpcer.value:.2f}, packaged less it {gain.value:+.3f}"
                f" [{gain.low:+.3f}, {gain.high:+.3f}]\n"
            )
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m research.pad_network.wider_run", description=__doc__)
    stages = parser.add_subparsers(dest="name", required=True)
    cut = stages.add_parser("cut", help="cut faces of frames and of further photos")
    cut.set_defaults(stage=_cut)
    draw = stages.add_parser("draw", help="draw training samples")
    draw.add_argument("--of", choices=sorted(_FIRST_SEEDS), required=True, help="what to draw")
    draw.add_argument("--first", type=int, default=0, help="number of the first shard")
    draw.add_argument("--shards", type=int, default=6, help="number of shards of 512 samples")
    draw.set_defaults(stage=_draw)
    train = stages.add_parser("train", help="train without a part of the sources")
    train.add_argument("--part", type=int, choices=range(PARTS), required=True, help="the part to leave out")
    train.add_argument("--samples", type=int, default=30_000, help="training samples of the run")
    train.add_argument("--hardness", type=float, default=0.5, help="weight of hard examples, 0..1")
    train.add_argument("--afresh", action="store_true", help="do not start at the packaged network")
    train.set_defaults(stage=_train)
    compare = stages.add_parser("compare", help="compare with the packaged network")
    compare.add_argument("--part", type=int, choices=range(PARTS), required=True, help="the part's network")
    compare.set_defaults(stage=_compare)
    for stage in (cut, draw):
        stage.add_argument("--assets", type=Path, required=True, help="folder with data/ and models/")
    for stage in (cut, draw, train, compare):
        stage.add_argument("--work", type=Path, required=True, help="folder for the files of the stages")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
