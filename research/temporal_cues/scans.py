"""Makes scans for the study of cues over time, as a server observes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from attempt import DecodedPicture, PacedWatch, persons_of
from evaluation.scans import clip_windows
from liveness import ScanObservations, SkippedFrame, face_extent, sample_frame
from matcher import SCAN_SUBJECT
from research.liveness_fusion.large_faces import large_faces
from research.liveness_fusion.photo_attacks import AttackKind, Presentation, present
from research.temporal_cues.paper_mask import WornMask, wear
from simulator.photos import builtin_photo_names, builtin_photos
from simulator.scan import simulate_scan
from simulator.scene import ScanKind, SceneSettings
from vision.face import BgrImage
from vision.packs import Pack

TimedFrame = tuple[float, BgrImage]

_PHOTOS = 9
_STORED_SECONDS = 8.0
_SIMULATED = (ScanKind.GENUINE, ScanKind.STATIC_PHOTO, ScanKind.WAVED_PHOTO, ScanKind.SCREEN_REPLAY)


@dataclass(frozen=True, slots=True, eq=False)
class StudyScan:
    """One observed scan and its label.

    Attributes:
        name: A distinct name.
        species: ``"live"``, or the kind of attack.
        source: Scans of one source show one person by one camera.
        scan: The observations, as a server makes them.
    """

    name: str
    species: str
    source: str
    scan: ScanObservations


def study_scans(assets: Path, pack: Pack) -> Iterator[StudyScan]:
    """Yield clips cut into scans of 2 to 4 s, photo attacks, and simulated scans."""
    for clip, species, source in _clips(assets):
        for number, window in enumerate(clip_windows(clip)):
            yield observe_study_scan(f"{clip.stem}#{number}", species, source, window, pack)
    yield from _photo_attacks(assets, pack)
    yield from _simulated(pack)


def stored_clips(assets: Path) -> Iterator[StudyScan]:
    """Yield up to 8 s of each clip as it is stored, not encoded anew, with sampled frames."""
    for clip, species, source in _clips(assets):
        capture = cv2.VideoCapture(str(clip))
        rate = capture.get(cv2.CAP_PROP_FPS)
        rate = rate if 5 <= rate <= 100 else 30.0
        passed: list[SkippedFrame] = []
        while len(passed) < _STORED_SECONDS * rate:
            ok, image = capture.read()
            if not ok:
                break
            samples = sample_frame(np.asarray(image, np.uint8))
            passed.append(SkippedFrame(len(passed), len(passed) / rate, fingerprint=None, samples=samples))
        capture.release()
        scan = ScanObservations(frames=(), motion=(), passed=tuple(passed))
        yield StudyScan(clip.stem, f"{species}, as stored", source, scan)


def _clips(assets: Path) -> Iterator[tuple[Path, str, str]]:
    for clip in sorted((assets / "data/video").glob("*/*")):
        owner = clip.name.split("__")[0]
        if clip.parent.name == "live":
            yield clip, "live", clip.stem
        else:
            yield clip, "deepfake" if owner == "quentin-csg" else "replay", clip.stem


def _photo_attacks(assets: Path, pack: Pack) -> Iterator[StudyScan]:
    rng = np.random.default_rng(1)
    for number, (name, photo, face, background) in enumerate(_photos(assets, pack)):
        amplitude = float(np.exp(rng.uniform(np.log(0.15), 0)))
        noise = rng.uniform(0.8, 4)
        for kind in AttackKind:
            shown = Presentation(photo, face, background, kind, amplitude, noise, number)
            yield observe_study_scan(f"{kind}|{name}", f"photo {kind}", name, present(shown), pack)
        mask = WornMask(photo, face, background, yaw=20, pitch=6, seed=number)
        yield observe_study_scan(f"mask|{name}", "paper mask", name, wear(mask), pack)


def _photos(assets: Path, pack: Pack) -> Iterator[tuple[str, BgrImage, tuple[float, float, float], BgrImage]]:
    """Yield photos, the face in each, and another photo as background."""
    photos: list[tuple[str, BgrImage, tuple[float, float, float]]] = []
    for clip in sorted((assets / "data/video/live").iterdir()):
        window = next(clip_windows(clip, most=1))
        image = window[len(window) // 3][1]
        faces = pack.detector.detect(image)
        if faces:
            extent = face_extent(faces[0])
            photos.append((clip.stem, image, (extent.x, extent.y, extent.width)))
    for name, image, extent in large_faces(assets, pack.detector, count=_PHOTOS, least_width=150):
        scale = 230 / extent.width
        to_frame = np.array([[scale, 0, 240 - scale * extent.x], [0, scale, 300 - scale * extent.y]])
        framed = cv2.warpAffine(image, to_frame, (480, 640), borderMode=cv2.BORDER_REPLICATE)
        photos.append((name, np.asarray(framed, np.uint8), (240.0, 300.0, 230.0)))
    for number, (name, photo, face) in enumerate(photos):
        background = np.asarray(cv2.flip(photos[(number + 7) % len(photos)][1], 0), np.uint8)
        yield name, photo, face, background


def _simulated(pack: Pack) -> Iterator[StudyScan]:
    for seed, name in enumerate(builtin_photo_names()):
        for kind in _SIMULATED:
            frames = _rendered(name, SceneSettings(kind=kind, seed=seed, seconds=3.0))
            yield observe_study_scan(f"{kind}|{name}", f"simulated {kind}", name, frames, pack)


def _rendered(name: str, settings: SceneSettings) -> Iterator[TimedFrame]:
    photo = builtin_photos(names=(name,))[name]
    for frame in simulate_scan(photo, settings):
        yield frame.capture_time, frame.pixels


def observe_study_scan(
    name: str,
    species: str,
    source: str,
    frames: Iterable[TimedFrame],
    pack: Pack,
) -> StudyScan:
    """Observe frames as the server does.

    Args:
        name: See ``StudyScan``.
        species: See ``StudyScan``.
        source: See ``StudyScan``.
        frames: Capture times and frames.
        pack: The models.
    """
    watch = PacedWatch(pack, faces=partial(persons_of, pack=pack, rule=SCAN_SUBJECT))
    for index, (time, image) in enumerate(frames):
        watch.take(DecodedPicture(image), index=index, capture_time=time)
    return StudyScan(name, species, source, watch.observations)
