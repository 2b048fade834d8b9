"""Measures the signals of shown pictures: ``python -m research.shown_picture ASSETS PACK``.

People are live clips, cut into scans of 6 s, at 16 and at 5 frames a second. Attacks are photos of other
people, each warped in all ways of ``warps``; the photo is also the trusted image. The rows say how many scans
are a doubt, and how many are certain.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from evaluation.binomial import proportion
from evaluation.scans import clip_windows, observe_scan
from evaluation.sent import as_sent
from liveness import face_extent
from liveness.shown_picture import PictureFinding, TrustedFace, find_moved_picture, find_trusted_image
from matcher import SCAN_SUBJECT
from research.liveness_fusion.large_faces import large_faces
from research.shown_picture.warps import WARPS, FramedPhoto
from simulator.attacks.warped_photo import warp_photo
from vision.face import BgrImage
from vision.face_chip import cut_chip
from vision.packs import Pack, load_pack

_PHOTOS: Final = 12
_SECONDS: Final = 6.0
_RATES: Final = (16.0, 5.0)
_WEAKEST, _STRONGEST = 0.012, 0.05
_FOLDERS: Final = ("video", "video_more", "video_phone")

Row = tuple[str, PictureFinding]
"""A kind of scans, and one finding."""


def main(assets: Path, pack_name: str) -> None:
    """Print the table."""
    pack = load_pack(pack_name)
    kinds: dict[str, list[PictureFinding]] = defaultdict(list)
    for kind, finding in (*_people(assets, pack), *_attacks(assets, pack)):
        kinds[kind].append(finding)
    print("kind | scans | possible | certain | at most certain (95 %)")
    for kind, findings in kinds.items():
        assessed = [one for one in findings if one.signal.assessed]
        certain = proportion(sum(one.certain for one in assessed), len(assessed), confidence=0.9)
        if certain is not None:
            possible = sum(one.possible for one in assessed)
            print(f"{kind} | {len(assessed)} | {possible} | {certain.hits} | {certain.upper:.3f}")


def _people(assets: Path, pack: Pack) -> Iterator[Row]:
    for folder in _FOLDERS:
        for clip in sorted((assets / "data" / folder / "live").iterdir()):
            for rate in _RATES:
                for window in clip_windows(clip, seconds=_SECONDS, rate=rate):
                    scan = observe_scan(window, pack, subject=SCAN_SUBJECT)
                    yield f"live, {rate:.0f} a second", find_moved_picture(scan)


def _attacks(assets: Path, pack: Pack) -> Iterator[Row]:
    landmarker = pack.landmarker
    if landmarker is None:
        raise SystemExit("the pack needs a landmarker: it gives the depth of a photo")
    for number, picture in enumerate(_photos(assets, pack)):
        face = pack.detector.detect(picture)[0]
        marks = landmarker.locate(picture, face)
        if marks is None:
            continue
        extent = face_extent(face)
        place = (extent.x, extent.y, extent.width)
        photo = FramedPhoto(picture, place, face, marks)
        chip = cut_chip(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), face)
        rng = np.random.default_rng(number)
        for name, make in WARPS.items():
            strength = float(np.exp(rng.uniform(np.log(_WEAKEST), np.log(_STRONGEST))))
            frames = warp_photo(
                picture,
                place,
                make(photo, strength, number),
                noise=float(rng.uniform(0.5, 4)),
                rate=float(rng.uniform(12, 25)),
                seconds=_SECONDS,
                seed=number,
            )
            sent = [(frame.capture_time, as_sent(frame.pixels)) for frame in frames]
            scan = observe_scan(sent, pack, subject=SCAN_SUBJECT)
            yield f"warped: {name}", find_moved_picture(scan)
            yield f"trusted image, warped: {name}", find_trusted_image(scan, TrustedFace(chip, document=True))


def _photos(assets: Path, pack: Pack) -> Sequence[BgrImage]:
    """Returns photos of distinct people, framed as a phone frames a selfie."""
    framed = []
    for _, picture, extent in large_faces(assets, pack.detector, count=_PHOTOS, least_width=150):
        scale = 230 / extent.width
        place = np.array([[scale, 0, 240 - scale * extent.x], [0, scale, 310 - scale * extent.y]])
        shown = cv2.warpAffine(picture, place, (480, 640), borderMode=cv2.BORDER_REPLICATE)
        framed.append(np.asarray(shown, np.uint8))
    return [picture for picture in framed if len(pack.detector.detect(picture)) == 1]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
