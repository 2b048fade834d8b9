"""The checks to run besides those of clips: photos, from which the simulator makes the scan."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.evaluation.check_cases import CaseKind, ClipCase


@dataclass(frozen=True, slots=True)
class PhotoCase:
    """A check with a scan that the simulator makes from a photo."""

    kind: CaseKind
    portrait: Path
    scan: Path


Case = ClipCase | PhotoCase


def photo_cases(folder: Path, *, least_face_width: int, people: int) -> list[PhotoCase]:
    """Return genuine and impostor pairs of photos with faces large enough for a portrait.

    Args:
        folder: Folder with ``manifest.csv``.
        least_face_width: Least width of the detected face in pixels.
        people: Number of identities, in alphabetical order.
    """
    with (folder / "manifest.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["usable"] == "1" and row["identity"] and float(row["face_w_px"] or 0) >= least_face_width
        ]
    photos: dict[str, list[Path]] = {}
    for row in sorted(rows, key=lambda row: row["file"]):
        photos.setdefault(row["identity"], []).append(folder / row["file"])
    pairs = [files[:2] for _, files in sorted(photos.items()) if len(files) > 1][:people]
    cases = [PhotoCase(CaseKind.GENUINE_PHOTO, first, second) for first, second in pairs]
    cases += [
        PhotoCase(CaseKind.IMPOSTOR_PHOTO, pair[0], other[1])
        for pair, other in zip(pairs, [*pairs[1:], *pairs[:1]], strict=True)
    ]
    return cases


def mask_cases(photos: Sequence[PhotoCase]) -> list[PhotoCase]:
    """Return a case for each genuine pair of photos, in which a mask of the person is worn."""
    return [replace(case, kind=CaseKind.RIGID_MASK) for case in photos if case.kind is CaseKind.GENUINE_PHOTO]


def kinds(cases: Sequence[Case]) -> list[CaseKind]:
    """Return the kinds of the cases, in the enum's order."""
    present = {case.kind for case in cases}
    return [kind for kind in CaseKind if kind in present]
