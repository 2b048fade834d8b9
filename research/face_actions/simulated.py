"""Prints how far simulated mouths open on request.

Run ``python -m research.face_actions.simulated ASSETS PACK PEOPLE``. Every line is a person of ``data/faces``
who did not tune the flash, and every column a kind of scan of that person's photo, in front of a screen that
does not flash. ``NOTES.md`` has the figures.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.people import Person, held_out_people, photo_of, read_split
from research.face_actions.actions import Action, excursion, measure
from simulator import AppGuide, FlashKind, FlashScanSettings, Photo, ScreenLight, simulate_flash_scan
from vision.packs import Pack, load_pack

__all__ = ["main", "opening_excursion"]

_KINDS: Final = (
    FlashKind.GENUINE,
    FlashKind.MASK_WITH_EYES_AND_MOUTH,
    FlashKind.MASK_WITH_EYES,
    FlashKind.RIGID_MASK,
    FlashKind.CUT_OUT_PRINT,
)
_SECONDS, _RATE, _ASKED_AT = 4.0, 12.0, 0.8


def main(assets: Path, pack_name: str, people: int) -> None:
    """Print the excursions of the gap between the lips, and their spread over the people."""
    pack, photos = load_pack(pack_name), load_pack("embedded")
    held_out = held_out_people(assets / "data" / "faces", split=read_split(), corrections=None)
    print("person |", " | ".join(_KINDS))
    rows: list[list[float]] = []
    for person, photo in islice(_usable(held_out, photos, pack), people):
        found = [opening_excursion(photo, kind, pack, seed=len(rows)) for kind in _KINDS]
        rows.append([np.nan if each is None else each for each in found])
        print(person.key, "|", " | ".join(f"{each:.2f}" for each in rows[-1]), flush=True)
    for name, of in (("least", np.nanmin), ("median", np.nanmedian), ("most", np.nanmax)):
        print(name, "|", " | ".join(f"{each:.2f}" for each in of(np.array(rows), axis=0)))


def opening_excursion(photo: Photo, kind: FlashKind, pack: Pack, *, seed: int) -> float | None:
    """Return by how much the gap between the lips exceeds its rest in a scan with one request to open.

    Args:
        photo: The person, or the victim of the attack.
        kind: The person or the attack.
        pack: With MediaPipe's landmarks.
        seed: Seed of the scan and of the opening.

    Returns:
        Centimetres on the canonical face; None if too few frames are measured.
    """
    settings = FlashScanSettings(kind=kind, seed=seed, seconds=_SECONDS, frames_per_second=_RATE)
    guide = AppGuide(seed=seed)
    guide.open_mouth(at=_ASKED_AT)
    gaps = []
    for frame in simulate_flash_scan(photo, settings, ScreenLight(settings.phone), guide):
        face = next(iter(pack.detector.detect(frame.pixels)), None)
        if face is None or pack.landmarker is None:
            continue
        landmarks = pack.landmarker.locate(frame.pixels, face)
        values = None if landmarks is None else measure(landmarks)
        if values is not None:
            gaps.append(values[Action.OPEN_MOUTH])
    return excursion(gaps)


def _usable(people: tuple[Person, ...], pack: Pack, witness: Pack) -> Iterator[tuple[Person, Photo]]:
    for person in people:
        try:
            yield person, photo_of(person, pack=pack, witness=witness)
        except DynamicEvaluationError:
            continue


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
