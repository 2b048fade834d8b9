"""Measures which recordings ``memory.similarity`` doubts: copies of a scan that software disguises.

::

    python -m lab.studies.replayed_scans ASSETS
    python -m lab.studies.replayed_scans ASSETS --seeds 3 --seconds 2 --wobble 0.02

Each live clip of the development data gives scans, as a phone sends them. Each of them is sent again as a
copy that is wobbled, zoomed, noised and stretched in time, with other draws for each seed, and compared with
its original as a server does. Beside that, scans that are no copies are compared: of other clips, and other
seconds of the same clip. ``docs/device_integrity.md`` has the figures.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from device_integrity import DeviceFinding
from device_integrity.stream import RecalledScan, ScanMotion, check_similarity, frame_layout, scan_motion
from lab.evaluation.binomial import proportion
from lab.evaluation.scans import as_sent, clip_windows, jpeg_of
from lab.simulator.camera import NOISE_MARGIN, noise_field
from lab.simulator.motion import Sway
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_jpeg_blocks

_FOLDERS: Final = ("video", "video_more", "video_phone")
_LIMITS: Final = DecodeLimits(max_bytes=2_000_000, max_pixels=4_000_000, max_side=4_000)
_OF_A_CLIP: Final = 2
"""Scans of a clip, as many as it is long enough for; copies are of the first."""

_RATE: Final = 10.0
"""Frames a second; movements are compared at five."""

Film = Sequence[tuple[float, BgrImage]]
"""Times, seconds, and what is shown then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disguise:
    """What software does to a recording.

    Attributes:
        wobble: Root mean square of the picture's shifts, shares of its width; turns and zooms go along.
        zoom: How much larger the picture is.
        noise: Standard deviation of the noise, grey levels.
        stretch: How much longer it takes.
    """

    wobble: float = 0.01
    zoom: float = 0.05
    noise: float = 3.0
    stretch: float = 0.04


def disguised(film: Film, how: Disguise, *, seed: int) -> Iterator[tuple[float, BgrImage]]:
    """Yield the frames of a copy, which begins up to 0.3 s later.

    Args:
        film: The scan, frames of one size.
        seed: Seeds all draws.
    """
    rng = np.random.default_rng(seed)
    tall, wide = film[0][1].shape[:2]
    shift, turn, grow = how.wobble * wide, 40 * how.wobble, 0.5 * how.wobble
    across, down, turned, grown = (
        Sway(rng, rms=rms, lowest=0.15, highest=2.0) for rms in (shift, shift, turn, grow)
    )
    grain = noise_field(rng, width=wide, height=tall) * np.float32(how.noise)
    place = rng.uniform(-0.5, 0.5, 2) * how.zoom * np.array([wide, tall])
    late, first = float(rng.uniform(0, 0.3)), film[0][0]
    for time, picture in film:
        if time - first < late:
            continue
        moment = (1 + how.stretch) * (time - first - late)
        view = cv2.getRotationMatrix2D(
            (wide / 2, tall / 2), turned(moment), (1 + how.zoom) * (1 + grown(moment))
        )
        view[:, 2] += (place[0] + across(moment), place[1] + down(moment))
        shown = cv2.warpAffine(picture, view, (wide, tall), borderMode=cv2.BORDER_REFLECT)
        top, left = rng.integers(0, NOISE_MARGIN, 2)
        seen = cv2.add(shown, grain[top : top + tall, left : left + wide], dtype=cv2.CV_8U)
        yield moment, np.asarray(seen, np.uint8)


def motion_of(film: Iterable[tuple[float, BgrImage]]) -> ScanMotion | None:
    """Return the movement of a scan as a server sees it; ``None`` if it shows none."""
    return scan_motion(
        [
            (round(1e6 * time), frame_layout(decode_jpeg_blocks(jpeg_of(picture), limits=_LIMITS)))
            for time, picture in film
        ]
    )


@dataclass(slots=True)
class Doubts:
    """Which comparisons of one kind end in a doubt; beside it, which do if shaking is not taken out."""

    name: str
    found: list[bool] = field(default_factory=list)
    found_shaken: list[bool] = field(default_factory=list)

    def compare(self, scan: ScanMotion | None, earlier: ScanMotion) -> None:
        """Compare a scan with an earlier one; one that does not move is not doubted."""
        self.found.append(scan is not None and _is_doubted(scan, earlier))
        self.found_shaken.append(scan is not None and _is_doubted(replace(scan, shaken=None), earlier))

    def __str__(self) -> str:
        """Return the counts with exact two-sided 95 % intervals."""
        counts = (proportion(sum(one), len(one), confidence=0.95) for one in (self.found, self.found_shaken))
        now, shaken = (
            "none"
            if one is None
            else f"{one.hits} of {one.trials} [{100 * one.lower:.1f}, {100 * one.upper:.1f} %]"
            for one in counts
        )
        return f"{self.name}: {now} doubted; {shaken} if shaking is not taken out"


def _is_doubted(scan: ScanMotion, earlier: ScanMotion) -> bool:
    check = check_similarity(scan, [RecalledScan(check_id="earlier", motions=(earlier,))])
    return check.outcome is DeviceFinding.FAIL


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.replayed_scans",
        description="Counts the copies of scans, and the scans that are none, that memory.similarity doubts.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("assets", type=Path, help="folder of the development data")
    parser.add_argument("--seeds", type=int, default=10, help="copies of each clip's first scan")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a scan")
    parser.add_argument("--wobble", type=float, default=Disguise().wobble, help="shifts, shares of the width")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    how = Disguise(wobble=options.wobble)
    copies = Doubts(f"copies, wobble {how.wobble:g}, {options.seeds} of each clip")
    clips: list[list[ScanMotion]] = []
    for path in _clips(options.assets):
        films = list(clip_windows(path, as_sent, seconds=options.seconds, most=_OF_A_CLIP, rate=_RATE))
        motions = [motion for film in films if (motion := motion_of(film)) is not None]
        clips.append(motions)
        first = motion_of(films[0]) if films else None
        if first is not None:
            for seed in range(options.seeds):
                copies.compare(motion_of(disguised(films[0], how, seed=seed)), first)
            print(f"{path.stem}: {sum(copies.found[-options.seeds :])}", flush=True)
    same, others = Doubts("other seconds of the same clip"), Doubts("scans of other clips")
    scans = [(clip, motion) for clip, motions in enumerate(clips) for motion in motions]
    for (clip, scan), (other, earlier) in permutations(scans, 2):
        (same if clip == other else others).compare(scan, earlier)
    print(copies, same, others, sep="\n")
    return 0


def _clips(assets: Path) -> Iterator[Path]:
    for folder in _FOLDERS:
        yield from sorted((assets / "data" / folder / "live").iterdir())


if __name__ == "__main__":
    raise SystemExit(main())
