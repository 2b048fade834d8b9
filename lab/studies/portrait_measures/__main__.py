"""The command of the study; ``docs/trusted_images.md`` and the measures' docstrings have its figures.

*mouth*: detection of masks, in folds and with the shipped function. *sharpness*: sharp photos against blurred
and moved ones. *compression*: tables, and the errors of the tables of one half on the other. *outline*: the
average outline of frontal faces, and the stability of the aligned face.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
from rich.console import Console

from lab.evaluation.match import PhotoListError
from lab.studies.portrait_measures.faces import StudiedFace, portrait_at, studied_faces
from lab.studies.portrait_measures.measures import (
    Mouth,
    frontal,
    in_first_half,
    mouth_of,
    print_compression,
    print_mouths,
    print_outlines,
    print_sharpness,
)
from matcher.conformance.face_region import ALIGNED_EYE_DISTANCE
from matcher.conformance.interface import PortraitView
from vision.errors import VisionError
from vision.packs import load_pack

_PARTS: Final = ("mouth", "sharpness", "compression", "outline")
_TWO_PACKS: Final = frozenset({"mouth", "outline"})
_OUTLINE_EYES: Final = 60.0
_LARGE: Final = 180.0
"""Least eye distance of a photo whose own compression disappears when it is reduced, pixels."""
_MOST_OF_ONE: Final = 6
"""Largest number of large photos of one person or, without names, of one repository."""
_SIZES: Final = (90.0, 105.0, 120.0)
"""Eye distances at which portraits are compressed, pixels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    console = Console(width=150)
    cv2.setNumThreads(1)
    parts = options.part or _PARTS
    packs = {"open": f"open:{options.assets / 'models'}", "embedded": "embedded"}
    try:
        outlines: dict[str, list[PortraitView]] = {}
        mouths: dict[str, list[Mouth]] = {}
        for name, spec in packs.items():
            if name == "open" or _TWO_PACKS & set(parts):
                mouths[name], outlines[name] = _study(name, spec, parts, options, console)
        if "mouth" in parts:
            for name, found in mouths.items():
                print_mouths(found, console, name=name, fitted_on=mouths["open"])
        if "outline" in parts:
            print_outlines(outlines, console, seed=options.seed)
    except (PhotoListError, VisionError, OSError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _study(
    name: str, spec: str, parts: Sequence[str], options: argparse.Namespace, console: Console
) -> tuple[list[Mouth], list[PortraitView]]:
    """Print the tables of one pack, and return its mouths and frontal faces."""
    mouths: list[Mouth] = []
    without: Counter[str] = Counter()
    large: list[StudiedFace] = []
    outlines: list[PortraitView] = []
    data = options.assets / "data"
    for face in studied_faces(data, pack=load_pack(spec), name=name, every=options.every):
        if "mouth" in parts:
            mouth = mouth_of(face)
            if isinstance(mouth, str):
                without[mouth] += 1
            else:
                mouths.append(mouth)
        if face.covered is not False:
            continue
        if "outline" in parts and face.eyes >= _OUTLINE_EYES and frontal(face.view):
            outlines.append(portrait_at(face.view, eyes=_OUTLINE_EYES))
        if name == "open" and face.eyes >= ALIGNED_EYE_DISTANCE:
            large.append(face)
    if "mouth" in parts:
        why_not = ", ".join(f"{count} {why}" for why, count in without.items())
        console.print(f"Mouths not counted ({name}): {why_not}")
    if name == "open" and "sharpness" in parts:
        portraits = [portrait_at(face.view, eyes=ALIGNED_EYE_DISTANCE) for face in _few_of_each(large)]
        print_sharpness(portraits, console, seed=options.seed)
    if name == "open" and "compression" in parts:
        chosen = _few_of_each([face for face in large if face.eyes >= _LARGE])
        first, second = (
            [
                portrait_at(face.view, eyes=eyes)
                for face in chosen
                if in_first_half(face.group) is half
                for eyes in _SIZES
            ]
            for half in (True, False)
        )
        print_compression(first, second, console)
    return mouths, outlines


def _few_of_each(faces: Sequence[StudiedFace]) -> list[StudiedFace]:
    taken: Counter[str] = Counter()
    kept = []
    for face in faces:
        taken[face.group] += 1
        kept += [face] if taken[face.group] <= _MOST_OF_ONE else []
    return kept


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.portrait_measures",
        description="Measure the conformance measures of pixels on real photos.",
    )
    parser.add_argument("--assets", required=True, type=Path, help="folder with models/ and data/")
    parser.add_argument("--part", action="append", choices=_PARTS, help="default: all")
    parser.add_argument("--every", type=int, default=1, help="use one photo in N, for a quick look")
    parser.add_argument("--seed", type=int, default=1, help="seed of noise and directions of movement")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
