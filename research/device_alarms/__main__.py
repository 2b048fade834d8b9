"""Measures how often device tests fail on honest recordings, and which simulated injections they detect.

::

    python -m research.device_alarms ASSETS

Cuts the live clips of ASSETS into scans as the reference client sends them, and uses the live images as they
are stored. Prints the false alarms of each test with exact bounds, by scans and by clips, the share of
simulated injections that each test detects, the scans that the scan memory recognises, and the cost. The
clips were encoded as video before, unlike a camera's stream, so the conditions for measuring noise and still
parts are worse than on a phone. Scans of one clip are not independent, so only the bounds over clips count,
and at least 150 clips are needed to show a rate below 2 %.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from device_integrity import DeviceCheck, DeviceFinding
from device_integrity.stream.noise import noise_curve
from evaluation import Proportion
from evaluation.binomial import proportion
from research.device_alarms.errors import MaterialError
from research.device_alarms.injections import INJECTIONS
from research.device_alarms.material import SentScan, live_scans, pictures
from research.device_alarms.measure import UNMEASURED, checks_of, traced
from research.device_alarms.memory_study import daily_scans, study_memory
from research.device_alarms.speed import stream_cost

__all__ = ["main", "may_decide"]

_CONFIDENCE = 0.95
_CLIPS = ("video", "video_more", "video_phone")
"""Folders of the scans that are compared with each other; single scans are tested from the first one."""

_STILLS = ("stream.encoder", "stream.recompression")
"""Tests that a single image can fail."""

_MAY_DECIDE = 0.02
"""Rate of false alarms above which a soft test may not decide alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    parser = argparse.ArgumentParser(
        prog="python -m research.device_alarms", description="False alarms of the device checks."
    )
    parser.add_argument("assets", type=Path, help="folder with data/video and data/pad")
    options = parser.parse_args(arguments)
    # One thread, as in a scan, in which whole frames are processed in parallel.
    cv2.setNumThreads(1)
    console = Console(width=130)
    try:
        scans, stills = live_scans(options.assets), pictures(options.assets)
    except (MaterialError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    _print_alarms(console, scans, stills)
    _print_noise(console, scans)
    _print_injections(console, scans)
    _print_memory(console, options.assets)
    cost = stream_cost(scans[0])
    console.print(
        f"a frame of 640 x 480, ms on one thread: decoding {cost.decode:.2f} (luma {cost.decode_luma:.2f}), "
        f"tracing {cost.trace:.2f}, judging {cost.judge:.3f}: {cost.share:.2f} of a decoding"
    )
    return 0


def _print_alarms(console: Console, scans: Sequence[SentScan], stills: Sequence[SentScan]) -> None:
    table = Table(
        "check",
        "scans",
        "clips with any",
        "stored pictures",
        "may decide alone",
        title="false alarms on live material",
    )
    moving, still = _by_check(scans), _by_check(stills)
    for name, failed in moving.items():
        clips = _by_clip(scans, failed)
        pictured = _share(_rate(still[name])) if name in _STILLS else "-"
        hit = proportion(sum(clips), len(clips), confidence=_CONFIDENCE)
        table.add_row(name, _share(_rate(failed)), _share(hit), pictured, may_decide(_rate(failed), hit))
    console.print(table)
    for name, why in UNMEASURED.items():
        console.print(f"{name}: not measured: {why}")


def _print_noise(console: Console, scans: Sequence[SentScan]) -> None:
    """Print the trend of noise over brightness, and why it is reported but not judged."""
    curves = [noise_curve(traced(scan).tallies) for scan in scans]
    trends = [curve.trend for curve in curves if curve is not None and curve.trend is not None]
    share = _share(_rate([trend < 0 for trend in trends]))
    console.print(f"noise that falls with light, where photons' grows: {share} of the scans with a trend")


def may_decide(scans: Proportion | None, clips: Proportion | None) -> str:
    """Return whether a failed test may decide a check alone: ``yes``, ``no`` or ``not shown``.

    Args:
        scans: The rate of false alarms over scans.
        clips: The rate over clips with its upper bound, which must be low enough for ``yes``.
    """
    if scans is None or clips is None or scans.rate > _MAY_DECIDE:
        return "no"
    return "yes" if clips.upper <= _MAY_DECIDE else "not shown"


def _print_injections(console: Console, scans: Sequence[SentScan]) -> None:
    table = Table("injection (simulated)", "check", "scans that fail it")
    for species, change in INJECTIONS.items():
        for name, failed in _by_check([change(scan) for scan in scans]).items():
            if any(failed):
                table.add_row(species, name, _share(_rate(failed)))
        table.add_section()
    console.print(table)


def _print_memory(console: Console, assets: Path) -> None:
    recorded, daily = study_memory(live_scans(assets, folders=_CLIPS)), list(daily_scans())
    counts = {
        "second scans of a clip": recorded.second_scans,
        "scans of other clips": recorded.strangers,
        **{f"copies, {name}": found for name, found in recorded.copies.items()},
        "simulated scans of a person on other days": study_memory(daily, copies={}).second_scans,
    }
    for what, doubted in counts.items():
        console.print(f"memory.similarity, {what}: {_share(_rate(doubted))} doubted")
    console.print(f"memory.frames: {recorded.same_pictures} pairs of scans have a picture in common")


def _by_check(scans: Sequence[SentScan]) -> Mapping[str, list[bool]]:
    """Return, for each test, which scans fail it."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for scan in scans:
        for check in checks_of(scan):
            found[check.name].append(_failed(check))
    return found


def _failed(check: DeviceCheck) -> bool:
    return check.outcome is DeviceFinding.FAIL


def _by_clip(scans: Sequence[SentScan], failed: Sequence[bool]) -> list[bool]:
    clips: defaultdict[str, bool] = defaultdict(bool)
    for scan, one in zip(scans, failed, strict=True):
        clips[scan.source] |= one
    return list(clips.values())


def _rate(failed: Sequence[bool]) -> Proportion | None:
    return proportion(sum(failed), len(failed), confidence=_CONFIDENCE)


def _share(found: Proportion | None) -> str:
    if found is None:
        return "-"
    return f"{found.hits} of {found.trials}, {found.rate:.1%} ({found.lower:.1%} to {found.upper:.1%})"


if __name__ == "__main__":
    raise SystemExit(main())
