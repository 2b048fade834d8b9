"""Measures the data of the fusion model's fit: ``python -m lab.studies.liveness_fusion.measure --help``.

There are five kinds of rows, see ``rows.RowKind``. Scans are observed as the server does. Every network of
every given pack scores them. The first pack finds faces and landmarks; a network of another pack scores the
faces that its own pack detects. Facegate's own network scores only material that it was not trained on: its
held-out sources and sessions, and clips. The simulator is not used, so that its scans remain an independent
test.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from attempt import CapturePlan
from lab.studies.liveness_fusion.photo_attacks import AttackKind, Presentation, large_faces, present
from lab.studies.liveness_fusion.rows import Row, RowKind, write_rows
from lab.studies.pad_network.material import PadNetworkError, pad_pictures, read_plan
from lab.studies.scans import clip_windows, observe_scan, select_frames
from liveness import (
    CUE_FRAMES,
    FrameObservation,
    ScanObservations,
    face_extent,
    observe_frame,
    spread_of,
)
from liveness.express import FrameCues, PadScore, measure_frame_cues
from liveness.express.pad_network import network_medians
from liveness.express.signals import PassiveEvidence, express_signals
from matcher import SCAN_SUBJECT
from vision.errors import ModelFailed, VisionError
from vision.face import BgrImage, DetectedFace
from vision.packs import FaceDetector, Pack, PadNetwork, load_pack

_FITTED = ("clips", "early", "presented", "pictures")
_PHONE = "video_phone"
_PHONE_SECONDS, _PHONE_SCANS = 6.0, 6
_EARLY_SCANS = 12
_WHOLE = 0.9
"""The last scan of a clip may be shorter; it is left out if it is shorter than this share."""
_PHOTOS = 9
_SCORED = 10
_OURS = "facegate_pad_v1"


_Windows = Callable[[Path], Iterator[list[tuple[float, BgrImage]]]]


@dataclass(frozen=True, slots=True)
class _Label:
    """The manifest's entry for a clip or image; see ``Row``."""

    source: str
    species: str
    live: bool
    trained_on: bool = False
    """Whether Facegate's own network was trained on it, or on its persons."""


@dataclass(frozen=True, slots=True)
class _Models:
    """The pack that observes, and every network with the detector that finds its faces."""

    pack: Pack
    networks: tuple[tuple[FaceDetector, PadNetwork], ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        models = _models(options.pack)
        sets = {
            "clips": _clips,
            "early": _early,
            "presented": _presented,
            "pictures": _pictures,
            "unseen": _unseen,
        }
        rows = [row for name in options.only or _FITTED for row in sets[name](options.assets, models)]
        write_rows(options.out, rows)
    except (PadNetworkError, VisionError, OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _models(specs: Sequence[str]) -> _Models:
    packs = [load_pack(spec) for spec in specs]
    found: dict[str, tuple[FaceDetector, PadNetwork]] = {}
    for pack in packs:
        for network in pack.pad_networks:
            found.setdefault(network.name, (pack.detector, network))
    return _Models(pack=packs[0], networks=tuple(found.values()))


def _clips(assets: Path, models: _Models) -> Iterator[Row]:
    yield from _scans(_video_folders(assets), models, clip_windows)


def _unseen(assets: Path, models: _Models) -> Iterator[Row]:
    """Clips to which no coefficient is fitted, in scans of the length of an attempt."""
    windows = partial(clip_windows, seconds=_PHONE_SECONDS, most=_PHONE_SCANS)
    yield from _scans([assets / "data" / _PHONE], models, windows)


def _early(assets: Path, models: _Models) -> Iterator[Row]:
    """Clips of all folders, in scans as long as what an early look sees."""
    seconds = CapturePlan().early_seconds

    def windows(path: Path) -> Iterator[list[tuple[float, BgrImage]]]:
        for window in clip_windows(path, seconds=seconds, most=_EARLY_SCANS):
            if window[-1][0] - window[0][0] > _WHOLE * seconds:
                yield window

    folders = [folder for folder in (*_video_folders(assets), assets / "data" / _PHONE) if folder.is_dir()]
    for row in _scans(folders, models, windows):
        if row.kind is RowKind.CLIP:
            yield replace(row, kind=RowKind.EARLY)


def _scans(folders: Sequence[Path], models: _Models, windows: _Windows) -> Iterator[Row]:
    clips = [(folder, clip) for folder in folders for clip in _manifest(folder)]
    for folder, clip in track(clips, description="clips", console=Console(stderr=True)):
        label = _Label(
            source_of(clip),
            clip["attack_type"],
            clip["label"] == "live",
            trained_on=clip["source_repo"] in _trained_sources(),
        )
        for number, window in enumerate(windows(folder / clip["file"])):
            yield from _clip_rows(f"{clip['file']}#{number}", label, window, models)


def _video_folders(assets: Path) -> list[Path]:
    """The clips that there are; tests have fewer."""
    folders = [assets / "data" / name for name in ("video", "video_more")]
    return [folder for folder in folders if (folder / "manifest.csv").exists()]


def _manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _trained_sources() -> frozenset[str]:
    return frozenset().union(*read_plan().folds)


def _unseen_pictures(folder: Path) -> frozenset[str]:
    plan = read_plan()
    return frozenset(
        picture.path.relative_to(folder).as_posix()
        for picture in pad_pictures(folder)
        if picture.source in plan.held_out_sources or picture.session in plan.held_out_sessions
    )


def source_of(clip: Mapping[str, str]) -> str:
    """Return the source; LivePortrait's clips are in one repository, but of different persons and cameras."""
    return clip["file"] if "LivePortrait" in clip["source_repo"] else clip["source_repo"]


def _clip_rows(
    name: str, label: _Label, window: Sequence[tuple[float, BgrImage]], models: _Models
) -> Iterator[Row]:
    scan = observe_scan(window, models.pack, subject=SCAN_SUBJECT)
    selected = [frame for frame in scan.frames if frame.index in select_frames(scan.frames)]
    scores: list[PadScore] = []
    for frame in _scored_frames(scan.frames):
        if frame.face is not None:
            scores += _asked(window[frame.index][1], frame.face, frame.index, models, label)
    looked = spread_of([frame.index for frame in selected], CUE_FRAMES)
    cues = [
        measure_frame_cues(window[frame.index][1], frame.face, frame_index=frame.index)
        for frame in selected
        if frame.index in looked and frame.face is not None
    ]
    yield _row(RowKind.CLIP, name, label, _scores(scan, cues), network_medians(scores))
    if looked:
        middle = looked[len(looked) // 2]
        frame = next(frame for frame in selected if frame.index == middle)
        own = [] if frame.face is None else _asked(window[middle][1], frame.face, middle, models, label)
        yield _row(
            RowKind.FRAME,
            name,
            label,
            _scores(
                ScanObservations(frames=(frame,), motion=()),
                [each for each in cues if each.frame_index == middle],
            ),
            network_medians(own),
        )


def _presented(assets: Path, models: _Models) -> Iterator[Row]:
    rng = np.random.default_rng(1)
    photos = list(_photos(assets, models.pack))
    shown = track(list(enumerate(photos)), description="photos", console=Console(stderr=True))
    for number, (name, source, photo, face) in shown:
        background = np.asarray(cv2.flip(photos[(number + 7) % len(photos)][2], 0), np.uint8)
        amplitude = float(np.exp(rng.uniform(np.log(0.15), 0)))
        noise = rng.uniform(0.8, 4)
        for kind in AttackKind:
            presentation = Presentation(photo, face, background, kind, amplitude, noise, number)
            scan = observe_scan(present(presentation), models.pack, subject=SCAN_SUBJECT)
            label = _Label(source, f"photo:{kind}", live=False)
            yield _row(RowKind.PRESENTED, f"{kind}|{name}", label, _scores(scan, ()), {})


def _pictures(assets: Path, models: _Models) -> Iterator[Row]:
    folder = assets / "data" / "pad"
    pictures = [row for row in _manifest(folder) if row["usable"] == "1"]
    unseen = _unseen_pictures(folder)
    for picture in track(pictures, description="pictures", console=Console(stderr=True)):
        label = _Label(
            picture["source_repo"],
            picture["attack_type"],
            picture["label"] == "live",
            trained_on=picture["file"] not in unseen,
        )
        read = cv2.imread(str(folder / picture["file"]), cv2.IMREAD_COLOR)
        if read is None:
            continue
        image = read.astype(np.uint8, copy=False)
        try:
            faces = models.pack.detector.detect(image)
            if not faces:
                continue
            frame = observe_frame(image, index=0, capture_time=0.0, faces=faces)
            cues = measure_frame_cues(image, faces[0], frame_index=0)
            asked = _asked(image, faces[0], 0, models, label)
        except ModelFailed:
            continue
        scan = ScanObservations(frames=(frame,), motion=())
        yield _row(RowKind.PICTURE, picture["file"], label, _scores(scan, [cues]), network_medians(asked))


def _photos(assets: Path, pack: Pack) -> Iterator[tuple[str, str, BgrImage, tuple[float, float, float]]]:
    """Yield one frame of every live clip, and photos of other persons at a selfie's size."""
    folder = assets / "data" / "video"
    for clip in sorted(_manifest(folder), key=lambda row: row["file"]):
        if clip["label"] != "live":
            continue
        window = next(clip_windows(folder / clip["file"]))
        image = window[len(window) // 3][1]
        faces = pack.detector.detect(image)
        if faces:
            extent = face_extent(faces[0])
            yield clip["file"], source_of(clip), image, (extent.x, extent.y, extent.width)
    for name, image, extent in large_faces(assets, pack.detector, count=_PHOTOS, least_width=150):
        scale = 230 / extent.width
        to_frame = np.array([[scale, 0, 240 - scale * extent.x], [0, scale, 300 - scale * extent.y]])
        framed = cv2.warpAffine(image, to_frame, (480, 640), borderMode=cv2.BORDER_REPLICATE)
        yield name, name, np.asarray(framed, np.uint8), (240.0, 300.0, 230.0)


def _scored_frames(frames: Sequence[FrameObservation]) -> tuple[FrameObservation, ...]:
    """Return ten frames that the networks score, spread over the scan.

    An attempt scores a few less (``attempt.analyst``).
    """
    detected = {frame.index: frame for frame in frames if frame.faces == 1 and not frame.followed}
    return tuple(detected[index] for index in spread_of(list(detected), _SCORED))


def _asked(image: BgrImage, face: DetectedFace, index: int, models: _Models, label: _Label) -> list[PadScore]:
    """Return the scores of the networks; a network gives none if its own detector finds no face."""
    seen: dict[int, DetectedFace | None] = {id(models.pack.detector): face}
    scores: list[PadScore] = []
    for detector, network in models.networks:
        if label.trained_on and network.name == _OURS:
            continue
        if id(detector) not in seen:
            faces = detector.detect(image)
            seen[id(detector)] = faces[0] if faces else None
        own = seen[id(detector)]
        if own is not None:
            scores.append(PadScore(index, network.name, network.real_probability(image, own)))
    return scores


def _scores(scan: ScanObservations, cues: Sequence[FrameCues]) -> dict[str, float]:
    signals = express_signals(PassiveEvidence(scan=scan, cues=cues))
    return {signal.name: signal.score for signal in signals if signal.score is not None}


def _row(
    kind: RowKind,
    name: str,
    label: _Label,
    scores: Mapping[str, float],
    networks: Mapping[str, float],
) -> Row:
    return Row(
        kind=kind,
        name=name,
        source=label.source,
        species=label.species,
        live=label.live,
        scores=scores,
        networks=networks,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.studies.liveness_fusion.measure", description=__doc__)
    parser.add_argument(
        "--assets", type=Path, required=True, help="folder with data/pad, the clips and faces"
    )
    parser.add_argument("--pack", action="append", required=True, help="the first one observes the scans")
    parser.add_argument("--only", action="append", choices=[*_FITTED, "unseen"], help="measure these alone")
    parser.add_argument("--out", type=Path, required=True, help="file for the rows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
