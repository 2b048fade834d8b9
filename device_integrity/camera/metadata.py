"""Tests whether the frames' headers show a real camera's exposure, clock and size.

All metadata are claims of the client, so an attacker who copies a real phone's metadata passes. Metadata that
was copied from another scan contradicts the frames: see ``policy.contradictions``.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from device_integrity.camera.claims import CameraClaim, FrameClaim
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation, passed_test

__all__ = ["check_metadata"]

_FEWEST_FRAMES: Final = 15
_FEWEST_STEPS: Final = 3
"""Fewest colours on display for which a constant exposure is suspicious."""

_GRID_US: Final = 2
"""Largest deviation from an even grid that rounding alone causes, microseconds."""

_LONGEST_SHARE: Final = 1.1
"""Limit of exposure time over the shortest time between frames; a rolling shutter allows at most 1."""

_SAME_ASPECT: Final = 0.02


def check_metadata(
    frames: Sequence[FrameClaim], camera: CameraClaim, *, adjustments: int = 0
) -> tuple[DeviceCheck, ...]:
    """Compares the headers of one stream's frames with each other and with the camera's description.

    Args:
        frames: In order of arrival.
        camera: The description in the stream's start.
        adjustments: How often the server requested smaller frames. The size may change as often.

    Returns:
        ``camera.exposure``, ``camera.timestamps`` and ``camera.frame_size``, in this order.
    """
    return _exposure(frames), _timestamps(frames), _frame_size(frames, camera, adjustments)


def _exposure(frames: Sequence[FrameClaim]) -> DeviceCheck:
    name = "camera.exposure"
    stated = [(frame, frame.exposure) for frame in frames if frame.exposure is not None]
    usable = [(frame, claim) for frame, claim in stated if claim.gain > 0]
    if len(usable) < _FEWEST_FRAMES:
        return _unavailable(name, "EXPOSURE_NOT_SENT", "Too few frames state exposure time and sensitivity.")
    shortest = min((now.capture_time_us - last.capture_time_us for last, now in pairwise(frames)), default=0)
    longest = max(claim.exposure_time_ns for _, claim in usable) / 1000
    if shortest > 0 and longest > _LONGEST_SHARE * shortest:
        return _failed(
            name,
            "EXPOSURE_LONGER_THAN_FRAME",
            f"The longest exposure of a frame is {longest / 1000:.1f} ms, but the shortest time between "
            f"frames is {shortest / 1000:.1f} ms.",
        )
    if any(claim.exposure_locked for _, claim in usable):
        return _not_evaluated(name, "EXPOSURE_LOCKED", "The exposure was locked.")
    steps = {frame.flash_step for frame, _ in usable}
    if len(steps) < _FEWEST_STEPS:
        return _not_evaluated(
            name, "LIGHT_UNCHANGED", "Too few colours were displayed to expect a change of the exposure."
        )
    if len({(claim.exposure_time_ns, claim.iso) for _, claim in usable}) == 1:
        return _failed(
            name,
            "EXPOSURE_CONSTANT",
            f"Exposure and sensitivity stayed constant while {len(steps)} colours were displayed, "
            "although they were not locked.",
        )
    return passed_test(name, "EXPOSURE_MOVED", "Exposure or sensitivity changed while the light changed.")


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
            f"All {len(steps)} times between frames are multiples of one period to within {off:.1f} µs.",
        )
    return passed_test(
        name, "UNEVEN", f"Times between frames deviate from an even grid by up to {off:.0f} µs."
    )


def _off_grid(steps: Sequence[int]) -> float:
    """Returns the frames' largest deviation from an even grid through the first and last one, microseconds.

    A step across dropped frames is a multiple of the grid's period. The grid is stretched to fit both ends,
    so its period need not be a whole number of microseconds.
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
    # Asked for fewer bytes, a client may scale its frames down, and again where they hold more detail.
    changes = sum(last != now and not (adjustments and now < last) for last, now in pairwise(sizes))
    if changes > adjustments:
        return _failed(
            name,
            "SIZE_CHANGED",
            f"The size of the frames changed {changes} times; the server requested {adjustments} changes.",
        )
    turns = sum(
        (last.rotation_degrees, last.mirrored) != (now.rotation_degrees, now.mirrored)
        for last, now in pairwise(frames)
    )
    # A phone that the person turns changes its rotation once or twice.
    if turns > 2:
        return _failed(
            name, "ROTATION_CHANGED", f"Rotation or mirroring of the frames changed {turns} times."
        )
    if camera.width <= 0 or camera.height <= 0:
        return _unavailable(
            name, "SIZE_NOT_SENT", "The device did not state the size of its camera's frames."
        )
    width, height = sizes[0]
    # A client may rotate its frames before it encodes them, so either side may be the width.
    long_share = max(width, height) / max(camera.width, camera.height)
    short_share = min(width, height) / min(camera.width, camera.height)
    if max(long_share, short_share) > 1:
        return _failed(
            name,
            "LARGER_THAN_CAMERA",
            f"The frames are {width} x {height}, larger than the camera's {camera.width} x {camera.height}.",
        )
    if abs(long_share - short_share) > _SAME_ASPECT * max(long_share, short_share):
        return _failed(
            name,
            "OTHER_SHAPE",
            f"The frames are {width} x {height}, another aspect ratio than the camera's "
            f"{camera.width} x {camera.height}.",
        )
    return passed_test(name, "AS_DESCRIBED", f"The camera can deliver frames of {width} x {height}.")


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
