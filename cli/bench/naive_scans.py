"""The scans that the server and the naive pipeline are compared on: the simulated one, and real clips."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from cli.bench.material import BenchMaterial
from cli.whole_checks.cases import CaseKind, ClipCase, clip_cases, enlarged, portrait_frames, scan_frames
from vision.image import encode_jpeg
from vision.packs import Pack

__all__ = ["MOST_FRAMES_PER_SECOND", "RecordedScan", "real_scans", "simulated_scan"]

_PORTRAIT_EYE_DISTANCE: Final = 95.0
_PORTRAIT_QUALITY: Final = 92
_FRAME_QUALITY: Final = 85
MOST_FRAMES_PER_SECOND: Final = 24.0
"""What a server asks of a device: a device with a faster camera sends no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedScan:
    """One scan, on disk as a device's camera gives it.

    Attributes:
        name: For messages.
        portrait: The trusted image, JPEG.
        frames: Folder with the frames, JPEG files in the order of their names.
        frames_per_second: Their rate.
        genuine: Whether the portrait's living person is what the camera saw.
    """

    name: str
    portrait: bytes
    frames: Path
    frames_per_second: float
    genuine: bool

    def as_sent(self, count: int) -> list[Path]:
        """The first ``count`` frames that a device sends, at most 24 a second."""
        files = sorted(self.frames.iterdir())
        step = max(1.0, self.frames_per_second / MOST_FRAMES_PER_SECOND)
        chosen = [int(number * step) for number in range(count)]
        return [files[at] for at in chosen if at < len(files)]


def simulated_scan(material: BenchMaterial) -> RecordedScan:
    """The benchmark's own scan."""
    return RecordedScan(
        name="simulated",
        portrait=material.portrait,
        frames=material.frames,
        frames_per_second=material.frames_per_second,
        genuine=True,
    )


def real_scans(videos: Path, folder: Path, *, pack: Pack, most: int) -> Iterator[RecordedScan]:
    """Clips of the development data with a portrait from their own beginning, live and attack.

    Args:
        videos: With ``manifest.csv``, ``live`` and ``spoof``.
        folder: Where the frames go, a folder for each clip.
        pack: Finds the portrait's face.
        most: Clips at most, spread evenly over all.
    """
    cases = [case for case in clip_cases(videos) if case.kind is not CaseKind.IMPOSTOR_CLIP]
    chosen = (
        {number * len(cases) // most for number in range(most)} if most < len(cases) else range(len(cases))
    )
    for number, case in enumerate(cases):
        if number not in chosen:
            continue
        portrait = _portrait(case, pack)
        frames = folder / str(number)
        frames.mkdir()
        times = []
        for index, (image, time) in enumerate(scan_frames(case.scan)):
            (frames / f"{index:05d}.jpg").write_bytes(encode_jpeg(image, quality=_FRAME_QUALITY))
            times.append(time)
        if portrait is None or len(times) < 2:
            continue
        apart = median(after - before for before, after in pairwise(times))
        yield RecordedScan(
            name=case.scan.name,
            portrait=portrait,
            frames=frames,
            frames_per_second=1 / apart,
            genuine=case.kind is CaseKind.GENUINE_CLIP,
        )


def _portrait(case: ClipCase, pack: Pack) -> bytes | None:
    for image in portrait_frames(case.portrait):
        faces = pack.detector.detect(image)
        if faces:
            factor = _PORTRAIT_EYE_DISTANCE / faces[0].eye_distance
            return encode_jpeg(image if factor <= 1 else enlarged(image, factor), quality=_PORTRAIT_QUALITY)
    return None
