"""Do the frames' headers tell of a camera that saw the light change, by a clock that no program made?

All of it is claimed by the client; an attacker who copies a real phone's metadata passes. What is copied from
another scan contradicts the pictures: see ``policy.contradictions``.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from device_integrity.camera.claims import CameraClaim, FrameClaim
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation, passed

__all__ = ["check_metadata"]

_FEWEST_FRAMES: Final = 15
_FEWEST_STEPS: Final = 3
"""Colours that must have been on display before an exposure that never moves says anything."""

_GRID_US: Final = 2
"""Microseconds from an even grid that rounding alone makes."""

_LONGEST_SHARE: Final = 1.1
"""Exposure time over the shortest time between frames; 1 is the most that a rolling shutter allows."""

_SAME_ASPECT: Final = 0.02


def check_metadata(
    frames: Sequence[FrameClaim], camera: CameraClaim, *, adjustments: int = 0
) -> tuple[DeviceCheck, ...]:
    """Hold the headers of one stream's frames against each other and against the camera's description.

    Args:
        frames: In order of arrival.
        camera: As the stream's start described it.
        adjustments: How often the server asked for smaller frames; so many sizes may follow the first.

    Returns:
        ``camera.exposure``, ``camera.timestamps`` and ``camera.frame_size``, in this order.
    """
    return _exposure(frames), _timestamps(frames), _frame_size(frames, camera, adjustments)


def _exposure(frames: Sequence[FrameClaim]) -> DeviceCheck:
    name = "camera.exposure"
    told = [(frame, frame.exposure) for frame in frames if frame.exposure is not None]
    free = [(frame, claim) for frame, claim in told if claim.gain > 0]
    if len(free) < _FEWEST_FRAMES:
        return _unavailable(name, "EXPOSURE_NOT_SENT", "Too few frames tell exposure time and sensitivity.")
    shortest = min((now.capture_time_us - last.capture_time_us for last, now in pairwise(frames)), default=0)
    longest = max(claim.exposure_time_ns for _, claim in free) / 1000
    if shortest > 0 and longest > _LONGEST_SHARE * shortest:
        return _failed(
            name,
            "EXPOSURE_LONGER_THAN_FRAME",
            f"A frame was exposed for {longest / 1000:.1f} ms, and the next came after "
            f"{shortest / 1000:.1f} ms.",
        )
    if any(claim.exposure_locked for _, claim in free):
        return _not_evaluated(name, "EXPOSURE_LOCKED", "The exposure was locked.")
    steps = {frame.flash_step for frame, _ in free}
    if len(steps) < _FEWEST_STEPS:
        return _not_evaluated(
            name, "LIGHT_UNCHANGED", "Too few colours were shown to expect the exposure to move."
        )
    if len({(claim.exposure_time_ns, claim.iso) for _, claim in free}) == 1:
        return _failed(
            name,
            "EXPOSURE_CONSTANT",
            f"Exposure and sensitivity never moved while {len(steps)} colours were shown, "
            "though they were not locked.",
        )
    return passed(name, "EXPOSURE_MOVED", "Exposure or sensitivity moved while the light changed.")


def _timestamps(frames: Sequence[FrameClaim]) -> DeviceCheck:
    name = "camera.timestamps"
    if len(frames) < _FEWEST_FRAMES:
        return _unavailable(name, "TOO_FEW_FRAMES", f"{len(frames)} frames are too few.")
    steps = [now.capture_time_us - last.capture_time_us for last, now in pairwise(frames)]
    if min(steps) <= 0:
        return DeviceCheck(
            name=name,
            outcome=DeviceFinding.FAIL,
            reason="NOT_RISING",
            detail="A frame was captured no later than the one before it.",
            sign_of=Manipulation.INJECTION,
        )
    off = _off_grid(steps)
    if off <= _GRID_US:
        return _failed(
            name,
            "ON_A_GRID",
            f"All {len(steps)} times between frames are multiples of one to within {off:.1f} µs.",
        )
    return passed(name, "UNEVEN", f"Times between frames are off an even grid by up to {off:.0f} µs.")


def _off_grid(steps: Sequence[int]) -> float:
    """The most that a sum of steps is off a grid through the first frame and the last, microseconds.

    Left-out frames make a step a multiple of the grid's; a grid is stretched to fit both ends, so a rate that
    is no whole number of microseconds is one, too.
    """
    least = min(steps)
    counts = [round(step / least) for step in steps]
    even = sum(steps) / sum(counts)
    at, place, worst = 0, 0, 0.0
    for step, count in zip(steps, counts, strict=True):
        at, place = at + step, place + count
        worst = max(worst, abs(at - place * even))
    return worst


def _frame_size(frames: Sequence[FrameClaim], camera: CameraClaim, adjustments: int) -> DeviceCheck:
    name = "camera.frame_size"
    if not frames:
        return _unavailable(name, "TOO_FEW_FRAMES", "There are no frames.")
    sizes = [(frame.width, frame.height) for frame in frames]
    changes = sum(last != now for last, now in pairwise(sizes))
    if changes > adjustments:
        return _failed(
            name,
            "SIZE_CHANGED",
            f"The size of the frames changed {changes} times; {adjustments} changes were asked for.",
        )
    turns = sum(
        (last.rotation_degrees, last.mirrored) != (now.rotation_degrees, now.mirrored)
        for last, now in pairwise(frames)
    )
    # A phone that is turned in the hand says so once or twice.
    if turns > 2:
        return _failed(
            name, "ROTATION_CHANGED", f"Rotation or mirroring of the frames changed {turns} times."
        )
    if camera.width <= 0 or camera.height <= 0:
        return _unavailable(name, "SIZE_NOT_SENT", "The device did not say what frames its camera delivers.")
    width, height = sizes[0]
    # A client may turn its frames before it encodes them, so either side may be the width.
    long_share = max(width, height) / max(camera.width, camera.height)
    short_share = min(width, height) / min(camera.width, camera.height)
    if max(long_share, short_share) > 1:
        return _failed(
            name,
            "LARGER_THAN_CAMERA",
            f"Frames of {width} x {height} come from a camera of {camera.width} x {camera.height}.",
        )
    if abs(long_share - short_share) > _SAME_ASPECT * max(long_share, short_share):
        return _failed(
            name,
            "OTHER_SHAPE",
            f"Frames of {width} x {height} have another shape than the camera's "
            f"{camera.width} x {camera.height}.",
        )
    return passed(name, "AS_DESCRIBED", f"Frames of {width} x {height} are what the camera can deliver.")


def _failed(name: str, reason: str, detail: str) -> DeviceCheck:
    return DeviceCheck(
        name=name,
        outcome=DeviceFinding.FAIL,
        reason=reason,
        detail=detail,
        sign_of=Manipulation.INJECTION,
        soft=True,
    )


def _unavailable(name: str, reason: str, detail: str) -> DeviceCheck:
    return DeviceCheck(name=name, outcome=DeviceFinding.UNAVAILABLE, reason=reason, detail=detail)


def _not_evaluated(name: str, reason: str, detail: str) -> DeviceCheck:
    return DeviceCheck(name=name, outcome=DeviceFinding.NOT_EVALUATED, reason=reason, detail=detail)
