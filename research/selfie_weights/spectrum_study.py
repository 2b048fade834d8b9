"""What ``fft_deepfake`` tells: compression, enlarging, generators' grids, and the deepfake clips.

::

    python -m research.selfie_weights.spectrum_study --assets DIR --pack open:DIR/models

Live pictures are changed in one way each: compressed as JPEG; enlarged twice and made small again; enlarged
twice by a transposed convolution whose kernel overlaps unevenly, as generators do; and given the periodic
grid that three such steps leave. The clips are compared frame by frame. There are two deepfake clips: what
they show is no error rate.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from evaluation.scans import clip_windows
from liveness.selfie import (
    SelfieSettings,
    SelfieSubject,
    face_spectrum,
    inner_square,
    measure_spectrum,
)
from liveness.selfie.fft_deepfake import spectrum_score
from vision.errors import ModelFailed, VisionError
from vision.exif_tags import ExifTags
from vision.face import BgrImage
from vision.packs import Pack, load_pack

__all__ = ["CHANGES", "main"]

_PICTURES = 60
_FRAMES = 5
_SMALLEST = 128
_SMALLEST_IN_CLIPS = 48
_DEEPFAKES = "quentin-csg"

_UNEVEN = np.outer((0.5, 1.0, 0.6), (0.5, 1.0, 0.6))
"""A kernel of three for a stride of two: every other pixel is reached twice (A. Odena et al., "Deconvolution
and Checkerboard Artifacts", Distill 2016)."""


def _compressed(quality: int) -> Callable[[BgrImage], BgrImage]:
    def change(image: BgrImage) -> BgrImage:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if decoded is None:
            raise ValueError("a picture does not survive compression")
        return _eight_bits(decoded)

    return change


def _enlarged(image: BgrImage) -> BgrImage:
    """As a face swap's face is: made from half as many pixels."""
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return _eight_bits(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _transposed(image: BgrImage) -> BgrImage:
    """Half as many pixels, enlarged by zeros in between and the uneven kernel."""
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    sparse = np.zeros((2 * small.shape[0], 2 * small.shape[1], 3), np.float32)
    sparse[::2, ::2] = small
    return _eight_bits(cv2.filter2D(sparse, -1, _UNEVEN / (_UNEVEN.sum() / 4)))


def _grid(image: BgrImage) -> BgrImage:
    grid = image.astype(np.float32)
    grid[::8] += 4
    grid[:, ::8] += 4
    return _eight_bits(grid)


CHANGES: Mapping[str, Callable[[BgrImage], BgrImage]] = {
    "as they are": lambda image: image,
    **{f"JPEG quality {quality}": _compressed(quality) for quality in (95, 75, 50, 25, 10)},
    "made of half the pixels": _enlarged,
    "transposed convolution": _transposed,
    "grid of period 8, 4 of 255": _grid,
}
"""By name, what is done to a picture."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        pack = load_pack(options.pack)
        found = {
            **_changed_pictures(options.assets / "data" / "pad", pack),
            **_clips(options.assets / "data" / "video", pack),
        }
    except (VisionError, OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    table = Table("pictures", "count", "ring kurtosis", "high frequencies", "azimuthal variance", "score")
    for name, rows in found.items():
        middle = np.median(np.array(rows), axis=0) if rows else np.full(4, np.nan)
        kurtosis, ratio, variance, score = (float(value) for value in middle)
        table.add_row(
            name, str(len(rows)), f"{kurtosis:.1f}", f"{ratio:.3f}", f"{variance:.3f}", f"{score:.2f}"
        )
    console = Console(width=120)
    console.print(table)
    console.print(
        f"Medians; {options.pack}; at least {_SMALLEST} pixels of the middle of a face in pictures, "
        f"{_SMALLEST_IN_CLIPS} in clips."
    )
    return 0


def _changed_pictures(folder: Path, pack: Pack) -> dict[str, list[tuple[float, ...]]]:
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in CHANGES}
    for image in islice(_large_faces(folder, pack), _PICTURES):
        for name, change in CHANGES.items():
            measured = _measured(change(image), pack)
            if measured is not None:
                found[name].append(measured)
    return found


def _large_faces(folder: Path, pack: Pack) -> Iterator[BgrImage]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1" and row["label"] == "live"]
    for row in rows[:: max(1, len(rows) // (2 * _PICTURES))]:
        read = cv2.imread(str(folder / row["file"]), cv2.IMREAD_COLOR)
        if read is not None and _measured(_eight_bits(read), pack) is not None:
            yield _eight_bits(read)


def _clips(folder: Path, pack: Pack) -> dict[str, list[tuple[float, ...]]]:
    found: dict[str, list[tuple[float, ...]]] = {
        "frames of live clips": [],
        "frames of screen replays": [],
        "frames of deepfake clips": [],
    }
    for path in sorted(folder.glob("*/*")):
        if path.parent.name == "live":
            kind = "frames of live clips"
        else:
            kind = f"frames of {'deepfake clips' if path.name.startswith(_DEEPFAKES) else 'screen replays'}"
        window = next(clip_windows(path), [])
        for _, image in window[:: max(1, len(window) // _FRAMES)]:
            measured = _measured(image, pack, smallest=_SMALLEST_IN_CLIPS)
            if measured is not None:
                found[kind].append(measured)
    return found


def _measured(image: BgrImage, pack: Pack, *, smallest: int = _SMALLEST) -> tuple[float, ...] | None:
    """Kurtosis, ratio, variance and score of the largest face; None for a small one or none."""
    try:
        faces = pack.detector.detect(image)
    except ModelFailed:
        return None
    subject = SelfieSubject(image=image, face=faces[0] if faces else None, landmarks=None, exif=ExifTags())
    square = inner_square(subject)
    if square is None or square.shape[0] < smallest:
        return None
    measures = measure_spectrum(face_spectrum(square))
    return (
        measures.ring_kurtosis,
        measures.high_frequency_ratio,
        measures.azimuthal_variance,
        spectrum_score(measures, SelfieSettings()),
    )


def _eight_bits(values: NDArray[Any]) -> BgrImage:
    clipped: BgrImage = np.clip(values, 0, 255).astype(np.uint8)
    return clipped


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.selfie_weights.spectrum_study",
        description="Measure the spectrum of changed pictures and of clips.",
    )
    parser.add_argument("--assets", required=True, type=Path, help="folder with data/")
    parser.add_argument("--pack", required=True, help="its detector finds the faces")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
