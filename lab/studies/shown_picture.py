"""Measures when a scan shows a picture: ``python -m lab.studies.shown_picture ASSETS PACK``.

People are live clips, cut into scans of 6 s, at 16 and at 5 frames a second. Attacks are photos of other
people, each warped in all ways of ``WARPS``, as it is and with lids, gaze and mouth that software draws; the
photo is also the trusted image, as it is and mirrored. And one frame of each live clip, warped in one way,
with the same drawn. And many more photos, some made soft, warped with noise in three sizes, of which the
first 2 s and all 4 s are a scan each; the lines and the structure that is compared were chosen on the first
half of these photos. The rows say how many scans are a doubt, and how many are certain. The last rows test
the lines of ``one_picture``: each time they are set anew on half of the clips, by a rule that uses no attack,
and tested on the other half, on all attacks, and on those of the noisy photos that were left out. The lines
in ``liveness/shown_picture.py`` rest on it.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator, griddata

from lab.evaluation.binomial import proportion
from lab.evaluation.scans import as_sent
from lab.packs.embedded import load_embedded_pack
from lab.simulator.errors import PhotoUnusable
from lab.simulator.motion import Sway
from lab.simulator.photo import photo_from_image
from lab.studies.liveness_fusion.photo_attacks import large_faces
from lab.studies.scans import clip_windows, observe_scan
from lab.studies.warped_photo import Warp, bulge, drawn_alive, warp_photo
from liveness import FaceExtent, ScanObservations, TrustedFace, face_extent
from liveness.shown_picture import (
    LEAST_BEND,
    PictureChange,
    PictureFinding,
    find_moved_picture,
    find_trusted_image,
    measure_moved_picture,
)
from matcher import SCAN_SUBJECT
from vision.face import BgrImage, DetectedFace, Landmarks, Points
from vision.geometry import FaceChip, cut_chip
from vision.packs import Pack, load_pack

Face = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class FramedPhoto:
    """A photo of one person, and the face in it.

    Attributes:
        picture: The photo, shape (height, width, 3), BGR.
        face: The face's middle and width, pixels.
    """

    picture: BgrImage
    face: Face
    found: DetectedFace
    marks: Landmarks


MakeWarp = Callable[[FramedPhoto, float, int], Warp]
"""Makes a warp of a photo from its strength, face widths, and a seed."""

_GRID: Final = 16
"""The spacing of the pixels, at which smooth warps are computed."""


def _bulge(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    return bulge(photo.picture, photo.face, strength=strength, seed=seed)


def _thin_plate(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """A thin plate on 5 x 5 points that sway."""
    x, y, width = photo.face
    across, down = np.meshgrid(np.linspace(-0.8, 0.8, 5) * width + x, np.linspace(-1, 1, 5) * width + y)
    points = np.column_stack([across.ravel(), down.ravel()])
    height, breadth = photo.picture.shape[:2]
    rows, columns = np.mgrid[:height:_GRID, :breadth:_GRID]
    places = np.column_stack([columns.ravel(), rows.ravel()])
    share = RBFInterpolator(points / width, np.eye(len(points)), kernel="thin_plate_spline")(places / width)
    sways = _sways(len(points), strength * width, seed)

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        moved = share @ np.array([[one(time) for one in pair] for pair in sways])
        return _split(moved.reshape(*rows.shape, 2), breadth, height, cv2.INTER_CUBIC)

    return warp


def _mesh(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """A mesh of 9 x 9 points over the photo, linear between them."""
    height, breadth = photo.picture.shape[:2]
    sways = _sways(81, 0.7 * strength * photo.face[2], seed)

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        moved = np.array([[one(time) for one in pair] for pair in sways]).reshape(9, 9, 2)
        return _split(moved, breadth, height, cv2.INTER_LINEAR)

    return warp


def _parallax(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """A head that turns: the photo moves by the depth that the landmarks estimate."""
    height, breadth = photo.picture.shape[:2]
    depth = (
        np.zeros(len(photo.marks.points))
        if photo.marks.depth is None
        else photo.marks.depth.max() - photo.marks.depth
    )
    hull = cv2.convexHull(photo.marks.points).reshape(-1, 2)
    around = hull.mean(axis=0) + 1.8 * (hull - hull.mean(axis=0))
    rows, columns = np.mgrid[:height:8, :breadth:8]
    map_of_depth = griddata(
        np.concatenate([photo.marks.points, around]),
        np.concatenate([depth, np.zeros(len(around))]),
        (columns, rows),
        fill_value=0,
    ).astype(np.float32)
    near = np.asarray(cv2.resize(cv2.GaussianBlur(map_of_depth, (0, 0), 1.2), (breadth, height)), np.float32)
    yaw, pitch = _sways(1, 1.8 * strength, seed)[0]

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return -near * np.float32(np.sin(yaw(time))), -near * np.float32(np.sin(pitch(time)))

    return warp


def _regions(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """Eyes, nose and mouth, each moved and stretched by itself."""
    height, breadth = photo.picture.shape[:2]
    rows, columns = np.mgrid[:height, :breadth].astype(np.float32)
    points = photo.found.five_points
    parts = []
    for (x, y), reach in zip(
        [*points[:3], (points[3] + points[4]) / 2], (0.16, 0.16, 0.16, 0.22), strict=True
    ):
        aside, below = columns - np.float32(x), rows - np.float32(y)
        share = np.clip(1.5 - np.hypot(aside, below) / np.float32(reach * photo.face[2]), 0, 1)
        parts.append((aside, below, share))
    moves = _sways(len(parts), strength * photo.face[2], seed)
    stretches = _sways(len(parts), 4 * strength, seed + 1)

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        across, down = np.zeros_like(rows), np.zeros_like(rows)
        for (aside, below, share), move, stretch in zip(parts, moves, stretches, strict=True):
            across += share * (np.float32(move[0](time)) + aside * np.float32(stretch[0](time)))
            down += share * (np.float32(move[1](time)) + below * np.float32(stretch[1](time)))
        return across, down

    return warp


def _sways(count: int, rms: float, seed: int) -> list[tuple[Sway, Sway]]:
    rng = np.random.default_rng(seed)
    return [(Sway(rng, rms=rms), Sway(rng, rms=rms)) for _ in range(count)]


def _split(
    moved: NDArray[np.float64], breadth: int, height: int, interpolation: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    whole = cv2.resize(moved.astype(np.float32), (breadth, height), interpolation=interpolation)
    return np.asarray(whole[..., 0], np.float32), np.asarray(whole[..., 1], np.float32)


WARPS: Final[Mapping[str, MakeWarp]] = MappingProxyType(
    {"bulge": _bulge, "thin-plate": _thin_plate, "mesh": _mesh, "parallax": _parallax, "regions": _regions}
)


_PHOTOS: Final = 8
_NOISY_PHOTOS: Final = 46
_TUNED_PHOTOS: Final = 23
"""On the first of the noisy photos the judge was tuned."""
_SIZES: Final = ((240, 320), (360, 480), (480, 640))
_SECONDS: Final = 6.0
_SCANS: Final = {16.0: 2, 5.0: 1}
"""The number of scans of each clip, by frames a second."""
_WEAKEST, _STRONGEST = 0.012, 0.05
_FOLDERS: Final = ("video", "video_more", "video_phone")
_HALVINGS: Final = 100
_DOUBTED: Final = 1 / 15
"""The share of people's scans that may be in doubt."""
_MARGIN: Final = 2.4
"""How far below all bent faces of people the line of certainty lies: dark or blurred, theirs come near it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scan.

    Attributes:
        source: The clip or photo.
        finding: What is shown in the table.
        change: What ``one_picture`` measured; ``None`` if it measured nothing, and for the trusted image.
    """

    kind: str
    source: str
    finding: PictureFinding
    change: PictureChange | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """The change up to which a scan may show, and shows, one picture."""

    possible: float
    certain: float

    def doubts(self, change: PictureChange) -> bool:
        """Return whether a scan may show one picture."""
        return change.new < self.possible

    def convicts(self, change: PictureChange) -> bool:
        """Return whether a scan shows one picture."""
        return change.new < self.certain and change.bend >= LEAST_BEND


def set_lines(people: Sequence[PictureChange]) -> Lines:
    """Set the lines on people alone: one scan in fifteen is in doubt, and none is near certainty."""
    bent = [change.new for change in people if change.bend >= LEAST_BEND]
    return Lines(
        possible=float(np.quantile([change.new for change in people], _DOUBTED)), certain=min(bent) / _MARGIN
    )


def main(assets: Path, pack_name: str) -> None:
    """Print the tables."""
    pack = load_pack(pack_name)
    people = list(_people(assets, pack))
    attacks, noisy = list(_attacks(assets, pack)), list(_noisy(assets, pack))
    kinds: dict[str, list[PictureFinding]] = defaultdict(list)
    for row in (*people, *attacks, *noisy):
        if row.finding.signal.assessed:
            kinds[row.kind].append(row.finding)
    print("kind | scans | possible | certain | at most certain (95 %)")
    for kind, findings in kinds.items():
        certain = proportion(sum(one.certain for one in findings), len(findings), confidence=0.9)
        if certain is not None:
            possible = sum(one.possible for one in findings)
            print(f"{kind} | {len(findings)} | {possible} | {certain.hits} | {certain.upper:.3f}")
    left_out = [row for row in noisy if row.kind.startswith(_LEFT_OUT)]
    _print_halves(_by_source(people), _changes([*attacks, *noisy]), _changes(left_out))


def _changes(rows: Sequence[Row]) -> Sequence[PictureChange]:
    return [row.change for row in rows if row.change is not None]


def _by_source(rows: Sequence[Row]) -> Mapping[str, Sequence[PictureChange]]:
    changes: dict[str, list[PictureChange]] = defaultdict(list)
    for row in rows:
        if row.change is not None:
            changes[row.source].append(row.change)
    return changes


def _print_halves(
    people: Mapping[str, Sequence[PictureChange]],
    attacks: Sequence[PictureChange],
    left_out: Sequence[PictureChange],
) -> None:
    """Print means over random halves of the clips: the lines, and the shares of scans left out."""
    figures = []
    for seed in range(_HALVINGS):
        drawn = np.random.default_rng(seed).permutation(sorted(people))
        half = len(drawn) // 2
        lines = set_lines([change for clip in drawn[:half] for change in people[clip]])
        others = [change for clip in drawn[half:] for change in people[clip]]
        shares = [
            float(np.mean([found(change) for change in scans]))
            for scans in (others, attacks, left_out)
            for found in (lines.doubts, lines.convicts)
        ]
        figures.append([lines.possible, lines.certain, *shares])
    print("lines set on half of the clips: possible | certain")
    print("then in doubt | certain of: people of the other half, all attacks, noisy photos left out")
    for name, values in (("mean", np.mean(figures, axis=0)), ("most", np.max(figures, axis=0))):
        print(f"{name} | " + " | ".join(f"{value:.3f}" for value in values))


def _people(assets: Path, pack: Pack) -> Iterator[Row]:
    for folder in _FOLDERS:
        for clip in sorted((assets / "data" / folder / "live").iterdir()):
            for rate, most in _SCANS.items():
                for window in clip_windows(clip, seconds=_SECONDS, most=most, rate=rate):
                    scan = observe_scan(window, pack, subject=SCAN_SUBJECT)
                    yield Row(
                        f"live, {rate:.0f} a second",
                        clip.name,
                        find_moved_picture(scan),
                        measure_moved_picture(scan),
                    )


def _attacks(assets: Path, pack: Pack) -> Iterator[Row]:
    if pack.landmarker is None:
        raise SystemExit("the pack needs a landmarker: it gives the depth of a photo")
    for number, (name, picture) in enumerate(_photos(assets, pack)):
        photo = _framed(picture, pack)
        points = _drawable(picture)
        if photo is None:
            continue
        turned = _framed(np.ascontiguousarray(picture[:, ::-1]), pack)
        trusted = {
            kind: TrustedFace(_chip(one), document=True)
            for kind, one in (("trusted image", photo), ("trusted image mirrored", turned))
            if one is not None
        }
        for warp in WARPS:
            for kind, drawn in (("warped", None), ("warped and drawn alive", points)):
                if drawn is None and kind != "warped":
                    continue
                scan = _warped(photo, warp, number, pack, drawn)
                change = measure_moved_picture(scan)
                yield Row(f"{kind}: {warp}", name, find_moved_picture(scan), change)
                for shown, face in trusted.items():
                    yield Row(f"{shown}, {kind}: {warp}", name, find_trusted_image(scan, face))
    for number, (name, picture) in enumerate(_frames(assets)):
        photo, points = _framed(picture, pack), _drawable(picture)
        if photo is not None and points is not None:
            scan = _warped(photo, sorted(WARPS)[number % len(WARPS)], number, pack, points)
            kind = "frame of a clip, warped and drawn alive"
            yield Row(kind, name, find_moved_picture(scan), measure_moved_picture(scan))


_LEFT_OUT: Final = "noisy, left out"


def _noisy(assets: Path, pack: Pack) -> Iterator[Row]:
    """Yield scans of many photos: one bulge with noise 3 in small frames each, and two of any kind."""
    photos = large_faces(assets, pack.detector, count=_NOISY_PHOTOS, least_width=100)
    for number, (name, whole, extent) in enumerate(photos):
        rng = np.random.default_rng([_NOISY_PHOTOS, number])
        half = "noisy, tuned" if number < _TUNED_PHOTOS else _LEFT_OUT
        for kind in ("bulge, noise 3, 360x480", "any", "any"):
            usual = kind != "any"
            picture = _selfie(whole, extent, _SIZES[1] if usual else _SIZES[rng.integers(len(_SIZES))])
            warp = "bulge" if usual else str(rng.choice(sorted(WARPS)))
            noise = 3.0 if usual else float(rng.uniform(0, 5))
            strength = float(np.exp(rng.uniform(np.log(0.01), np.log(0.025 if usual else _STRONGEST))))
            if not usual and number % 3 == 0:
                soft = cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 240)
                picture = np.asarray(soft, np.uint8)
            photo, seed = _framed(picture, pack), int(rng.integers(1 << 30))
            if photo is None:
                continue
            frames = warp_photo(
                picture,
                photo.face,
                WARPS[warp](photo, strength, seed),
                noise=noise,
                rate=12.0,
                seconds=4.0,
                seed=seed,
            )
            sent = [(frame.capture_time, as_sent(frame.pixels)) for frame in frames]
            for count in (len(sent) // 2, len(sent)):
                scan = observe_scan(sent[:count], pack, subject=SCAN_SUBJECT)
                change = measure_moved_picture(scan)
                yield Row(f"{half}: {kind}", name, find_moved_picture(scan), change)


def _warped(
    photo: FramedPhoto, warp: str, number: int, pack: Pack, points: Points | None
) -> ScanObservations:
    """Return the scan of a warped photo, with what is drawn into it if the face's 68 landmarks are given."""
    rng = np.random.default_rng([number, *warp.encode()])
    strength = float(np.exp(rng.uniform(np.log(_WEAKEST), np.log(_STRONGEST))))
    alive = None if points is None else drawn_alive(photo.picture, points, seconds=_SECONDS, seed=number)
    frames = warp_photo(
        photo.picture,
        photo.face,
        WARPS[warp](photo, strength, number),
        noise=float(rng.uniform(0.5, 4)),
        rate=float(rng.uniform(12, 25)),
        seconds=_SECONDS,
        seed=number,
        alive=alive,
    )
    sent = [(frame.capture_time, as_sent(frame.pixels)) for frame in frames]
    return observe_scan(sent, pack, subject=SCAN_SUBJECT)


def _framed(picture: BgrImage, pack: Pack) -> FramedPhoto | None:
    """Return a picture with what warps need of its face; ``None`` if that is not found."""
    faces = pack.detector.detect(picture)
    marks = pack.landmarker.locate(picture, faces[0]) if faces and pack.landmarker is not None else None
    if marks is None:
        return None
    extent = face_extent(faces[0])
    return FramedPhoto(picture, (extent.x, extent.y, extent.width), faces[0], marks)


def _chip(photo: FramedPhoto) -> FaceChip:
    return cut_chip(np.asarray(cv2.cvtColor(photo.picture, cv2.COLOR_BGR2GRAY), np.uint8), photo.found)


def _drawable(picture: BgrImage) -> Points | None:
    """Return the 68 landmarks of the face; ``None`` if lids and mouth cannot be drawn into it."""
    embedded = load_embedded_pack()
    if embedded.landmarker is None:
        return None
    try:
        photo = photo_from_image(picture, detector=embedded.detector, landmarker=embedded.landmarker)
    except PhotoUnusable:
        return None
    return photo.landmarks


def _frames(assets: Path) -> Iterator[tuple[str, BgrImage]]:
    """Yield the middle frame of the first window of each live clip."""
    for folder in _FOLDERS:
        for clip in sorted((assets / "data" / folder / "live").iterdir()):
            for window in clip_windows(clip, seconds=_SECONDS, most=1, rate=max(_SCANS)):
                yield clip.name, window[len(window) // 2][1]


def _photos(assets: Path, pack: Pack) -> Sequence[tuple[str, BgrImage]]:
    """Return photos of distinct people, framed as a phone frames a selfie."""
    faces = large_faces(assets, pack.detector, count=_PHOTOS, least_width=150)
    framed = [(name, _selfie(picture, extent, _SIZES[-1])) for name, picture, extent in faces]
    return [(name, picture) for name, picture in framed if len(pack.detector.detect(picture)) == 1]


def _selfie(picture: BgrImage, extent: FaceExtent, size: tuple[int, int]) -> BgrImage:
    """Return a photo framed as a phone frames a selfie; ``size`` is (width, height)."""
    width, height = size
    scale = 23 / 48 * width / extent.width
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    across, down = width / 2 - scale * extent.x, 31 / 64 * height - scale * extent.y
    place = np.array([[1, 0, across], [0, 1, down]])
    shown = cv2.warpAffine(scaled, place, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, np.uint8)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[1], "data/faces").is_dir():
        sys.exit("usage: python -m lab.studies.shown_picture ASSETS PACK, with the folder ASSETS/data")
    main(Path(sys.argv[1]), sys.argv[2])
