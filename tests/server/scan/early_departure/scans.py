"""The scans of the study: recorded clips, and simulated prints and screens."""

import csv
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from research.scan_match.clips import ClipError, Recording, SentFrame, read_recording
from research.scan_match.constancy_study import portrait_template
from server.scan.messages import CaptureBudget
from simulator.photo import builtin_photo_names
from simulator.scan import simulate_scan
from simulator.scene import ScanKind, SceneSettings
from tests.packs import real_photo
from tests.server.scan.early_departure.cuts import CutScan
from vision.image import encode_jpeg
from vision.packs import Pack, Template

__all__ = ["clip_scans", "simulated_scans"]

_SECONDS = 5.0
"""The length of a scan of the study, in seconds. A complete attempt has four."""
_OTHERS = 3
_SEEDS = 2
_ATTACKS = (ScanKind.STATIC_PHOTO, ScanKind.WAVED_PHOTO, ScanKind.SCREEN_REPLAY)
_FOLDERS = ("video", "video_more")


def clip_scans(assets: Path, pack: Pack, *, most: int) -> Iterator[CutScan]:
    """Yields scans of the recorded clips; each live scan also has three other persons' portraits.

    Args:
        assets: Contains the folders of clips.
        pack: Makes the portraits' templates.
        most: The maximum number of scans of a clip.
    """
    live = list(_with_portraits(assets, "live", pack, most=most))
    for at, (_, recording, portrait) in enumerate(live):
        others = [one for _, _, one in islice(cycle(live), at + 1, at + 1 + _OTHERS)]
        yield from _scans("live", recording, portrait, others)
    for kind, recording, portrait in _with_portraits(assets, "spoof", pack, most=most):
        yield from _scans(kind, recording, portrait, ())


def simulated_scans(pack: Pack) -> Iterator[CutScan]:
    """Yields simulated prints and screens that show the portrait."""
    for name in builtin_photo_names():
        photo = real_photo(name)
        faces = pack.detector.detect(photo.pixels)
        if not faces:
            continue
        for kind in _ATTACKS:
            for seed in range(_SEEDS):
                frames = simulate_scan(photo, SceneSettings(kind=kind, seed=seed, seconds=_SECONDS))
                yield CutScan(
                    kind=f"simulated {kind}",
                    clip=name,
                    number=seed,
                    frames=tuple(
                        SentFrame(one.capture_time, encode_jpeg(one.pixels, quality=88)) for one in frames
                    ),
                    portrait=pack.template(photo.pixels, faces[0]),
                    others=(),
                )


def _with_portraits(
    assets: Path, label: str, pack: Pack, *, most: int
) -> Iterator[tuple[str, Recording, Template]]:
    """Yields clips, with their kind, that are long enough and whose first second shows one face."""
    for folder in _FOLDERS:
        with (assets / "data" / folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            clips = [row for row in csv.DictReader(file) if row["label"] == label and _large_enough(row)]
        for row in sorted(clips, key=lambda one: one["file"]):
            try:
                recording = read_recording(
                    assets / "data" / folder / row["file"], seconds=_SECONDS, most=most
                )
            except ClipError:
                continue
            portrait = portrait_template(recording, pack)
            if portrait is not None:
                yield _kind(row), recording, Template(portrait, pack.template_form.id)


def _scans(
    kind: str, recording: Recording, portrait: Template, others: Sequence[Template]
) -> Iterator[CutScan]:
    for number, frames in enumerate(recording.scans):
        yield CutScan(
            kind=kind,
            clip=recording.name,
            number=number,
            frames=frames,
            portrait=portrait,
            others=tuple(others),
        )


def _large_enough(row: dict[str, str]) -> bool:
    """Returns whether a server accepts the frames of a clip."""
    return min(int(row["width"]), int(row["height"])) >= CaptureBudget().min_frame_side


def _kind(row: dict[str, str]) -> str:
    if row["label"] == "live":
        return "live"
    return "deepfake" if row["attack_type"].startswith("deepfake") else "screen"
