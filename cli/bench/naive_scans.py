"""The scans for the comparison of server and naive pipeline: the simulated one, and real clips."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from cli.bench.material import BenchMaterial
from evaluation.check_cases import CaseKind, ClipCase, clip_cases, enlarged, portrait_frames, scan_frames
from vision.image import encode_jpeg
from vision.packs import Pack

__all__ = ["MOST_FRAMES_PER_SECOND", "RecordedScan", "real_scans", "simulated_scan"]

_PORTRAIT_EYE_DISTANCE: Final = 95.0
_PORTRAIT_QUALITY: Final = 92
_FRAME_QUALITY: Final = 85
MOST_FRAMES_PER_SECOND: Final = 24.0
"""The server's maximum. A device with a faster camera does not send more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedScan:
    """One scan on disk, as captured by a device's camera.

    Attributes:
        name: For messages.
        portrait: The trusted image, JPEG.
        frames: Folder with the frames, JPEG files in the order of their names.
        frames_per_second: Their rate.
        genuine: Whether the scan shows the portrait's living person.
    """

    name: str
    portrait: bytes
    frames: Path
    frames_per_second: float
    genuine: bool

    @property
    def sent_per_second(self) -> float:
        """The frames a second that a device sends of it unless the server requests fewer."""
        return min(self.frames_per_second, MOST_FRAMES_PER_SECOND)

    def offered(self, seconds: float) -> int:
        """Returns the number of frames that a device could have sent in ``seconds``, both ends included."""
        return 1 + round(seconds * self.sent_per_second)

    def as_sent(self, count: int) -> list[Path]:
        """Returns the first ``count`` frames that a device could send, at most 24 a second."""
        files = sorted(self.frames.iterdir())
        step = self.frames_per_second / self.sent_per_second
        chosen = [int(number * step) for number in range(count)]
        return [files[at] for at in chosen if at < len(files)]


def simulated_scan(material: BenchMaterial) -> RecordedScan:
    """Returns the benchmark's own scan."""
    return RecordedScan(
        name="simulated",
        portrait=material.portrait,
        frames=material.frames,
        frames_per_second=material.frames_per_second,
        genuine=True,
    )


def real_scans(videos: Path, folder: Path, *, pack: Pack, most: int) -> Iterator[RecordedScan]:
    """Yields clips of the development data, live and attack, with a portrait from their beginning.

    Args:
        videos: Folder with ``manifest.csv``, ``live`` and ``spoof``.
        folder: Folder for the frames; each clip gets a subfolder.
        pack: Detects the portrait's face.
        most: Most clips, spread evenly over all.
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
