"""Makes Facegate's own PAD network, ``vision/packs/weights/facegate_pad_v1.onnx``.

::

    python -m lab.studies.pad_network prepare --assets DIR --work DIR
    python -m lab.studies.pad_network validate --work DIR
    python -m lab.studies.pad_network train --work DIR --out FILE.onnx

``validate`` and ``train`` need PyTorch (``pip install facegate[training]``), ``prepare`` does not. The stages
take about 25 (``prepare``), 15 and 8 minutes of CPU time. Seeds are fixed and training uses one thread;
another processor still gives other bytes.

A sample is an image (a source's share grows with the square root of its number of images), altered as cameras
and codecs do, in the same ways for live images and attacks. A fifth are simulated recaptures of live images
(``recapture`` beside it). MiniFAS v2SE and Silent-Face's pair are teachers: the network predicts
their features, and their outputs where these agree with the label. It contains none of their weights.

``docs/evaluating.md`` is the network's card. ``facegate evaluate pad`` judges it, on the images that
``lab.studies.pad_network.held_out`` lists.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lab.studies.pad_network.material import PadNetworkError
from lab.studies.pad_network.stages import Workplace, cross_validate, cut_regions, make_pool, train_last
from vision.errors import VisionError
from vision.packs import load_pack


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if a stage could not be done."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        options.stage(options, console)
    except (PadNetworkError, VisionError, OSError) as error:
        sys.stderr.write(f"could not {options.name}: {error}\n")
        return 2
    return 0


def _prepare(options: argparse.Namespace, console: Console) -> None:
    options.work.mkdir(parents=True, exist_ok=True)
    models = options.assets / "models"
    if not (options.work / "regions.npz").exists():
        packs = [load_pack(f"open:{models}"), load_pack("embedded")]
        console.print(f"{cut_regions(options.assets, options.work, packs=packs)} pictures with a face")
    place = Workplace.open(options.work)
    make_pool(
        place, models=models, shards=options.shards, report=lambda number: console.print(f"shard {number}")
    )


def _validate(options: argparse.Namespace, console: Console) -> None:
    place = Workplace.open(options.work)
    calibration = cross_validate(place, samples=options.samples, report=console.print)
    console.print(f"calibration: scale {calibration.scale:.3f}, shift {calibration.shift:.3f}")


def _train(options: argparse.Namespace, console: Console) -> None:
    content = train_last(Workplace.open(options.work), samples=options.samples, report=console.print)
    options.out.write_bytes(content)
    console.print(f"{options.out.name}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.pad_network", description="Make Facegate's own PAD network."
    )
    stages = parser.add_subparsers(dest="name", required=True)
    prepare = stages.add_parser("prepare", help="cut faces and draw training samples")
    prepare.add_argument("--shards", type=int, default=16, help="number of shards of 2048 samples")
    prepare.set_defaults(stage=_prepare)
    validate = stages.add_parser("validate", help="train once per fold, and calibrate")
    validate.add_argument("--samples", type=int, default=30_000, help="training samples of each run")
    validate.set_defaults(stage=_validate)
    train = stages.add_parser("train", help="train on every fold and write the file")
    train.add_argument("--samples", type=int, default=60_000, help="training samples of the run")
    train.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    train.set_defaults(stage=_train)
    prepare.add_argument("--assets", type=Path, required=True, help="folder with data/ and models/")
    for stage in (prepare, validate, train):
        stage.add_argument("--work", type=Path, required=True, help="folder for the files of the stages")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
