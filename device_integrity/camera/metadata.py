"""Tests whether a camera's description fits its platform, and the frames' headers a real camera."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Final

from device_integrity.camera.claims import CameraClaim, CameraFacing, FrameClaim, Platform
from device_integrity.camera.fingerprints import tokens_of
from device_integrity.device_test import (
    DeviceTest,
    Manipulation,
    not_evaluated,
    passed_test,
    suspect,
    unavailable,
)

# Tests whether a camera's description fits its platform.
#
# If a platform does not describe a property (a browser, a desktop), the test is NOT_EVALUATED. If a phone
# omits a property that its system always knows, the test is UNAVAILABLE. Only a camera whose transport is
# virtual fails hard.

_SHORTEST_MM: Final = 0.5
_LONGEST_MM: Final = 30.0
"""Focal lengths of phone cameras lie well within these limits, because their modules are a few mm deep."""

_LEVELS: Final = {
    Platform.ANDROID: {
        "LIMITED": None,
        "FULL": None,
        "LEVEL_3": None,
        "LEGACY": "LEGACY_CAMERA",
        "EXTERNAL": "EXTERNAL_CAMERA",
    },
    Platform.IOS: {
        "builtInWideAngleCamera": None,
        "builtInUltraWideCamera": None,
        "builtInTelephotoCamera": None,
        "builtInTrueDepthCamera": None,
        "builtInDualCamera": None,
        "builtInDualWideCamera": None,
        "builtInTripleCamera": None,
        "builtInLiDARDepthCamera": None,
        "external": "EXTERNAL_CAMERA",
        "continuityCamera": "EXTERNAL_CAMERA",
        "deskViewCamera": "EXTERNAL_CAMERA",
    },
}
"""Reasons by Camera2's INFO_SUPPORTED_HARDWARE_LEVEL or AVCaptureDevice.DeviceType; ``None`` if built in."""

_CLOCKS: Final = {
    # SENSOR_INFO_TIMESTAMP_SOURCE is REALTIME (the boot-time clock) or UNKNOWN (a monotonic one).
    Platform.ANDROID: frozenset({"boottime", "realtime", "monotonic", "unknown"}),
    Platform.IOS: frozenset({"host", "hosttime", "monotonic", "mach", "presentation"}),
}

_VIRTUAL_TRANSPORT: Final = ("virt",)
_USB_TRANSPORT: Final = ("usb",)


def check_profile(camera: CameraClaim, *, platform: Platform) -> tuple[DeviceTest, ...]:
    """Compare a camera's description with the properties of its platform.

    Returns:
        ``camera.facing``, ``camera.orientation``, ``camera.hardware_level``, ``camera.focal_lengths``,
        ``camera.transport`` and ``camera.clock``, in this order.
    """
    return (
        _facing(camera, platform),
        _orientation(camera, platform),
        _hardware_level(camera, platform),
        _focal_lengths(camera, platform),
        _transport(camera, platform),
        _clock(camera, platform),
    )


def _facing(camera: CameraClaim, platform: Platform) -> DeviceTest:
    name = "camera.facing"
    if not platform.is_phone:
        return _not_reported(name, platform)
    match camera.facing:
        case CameraFacing.FRONT:
            return passed_test(name, "FRONT", "The camera faces the person.")
        case CameraFacing.UNSPECIFIED:
            return _missing(name, "its camera's direction")
        case CameraFacing.EXTERNAL:
            return _failed(name, "EXTERNAL_CAMERA", "The camera is not built into the phone.")
        case CameraFacing.BACK:
            return _failed(
                name, "BACK_CAMERA", "The camera faces away from the person that holds the phone.", sign=None
            )


def _orientation(camera: CameraClaim, platform: Platform) -> DeviceTest:
    name = "camera.orientation"
    degrees = camera.sensor_orientation_degrees
    if degrees not in {0, 90, 180, 270}:
        return _failed(
            name,
            "NO_QUARTER_TURN",
            f"The sensor is rotated by {degrees} degrees, which is not a quarter turn.",
        )
    if not platform.is_phone:
        return _not_reported(name, platform)
    if degrees == 0:
        # An empty field has the same value.
        return _missing(name, "its sensor's orientation")
    if degrees in {90, 270}:
        return passed_test(name, "SIDEWAYS", f"The sensor is rotated by {degrees} degrees, as in phones.")
    return _failed(
        name, "UPRIGHT_SENSOR", f"The sensor is rotated by {degrees} degrees; in phones it is 90 or 270."
    )


def _hardware_level(camera: CameraClaim, platform: Platform) -> DeviceTest:
    name = "camera.hardware_level"
    known = _LEVELS.get(platform)
    if known is None:
        return _not_reported(name, platform)
    level = camera.hardware_level
    if not level:
        return _missing(name, "its camera's hardware level")
    reason = known.get(level, "UNKNOWN_LEVEL")
    if reason is None:
        return passed_test(name, "BUILT_IN", f'The camera has the level "{level}".')
    return _failed(
        name, reason, f'The camera has the level "{level[:128]}", which no built-in front camera has.'
    )


def _focal_lengths(camera: CameraClaim, platform: Platform) -> DeviceTest:
    name = "camera.focal_lengths"
    if platform is not Platform.ANDROID:
        return _not_reported(name, platform)
    lengths = camera.focal_lengths_mm
    if not lengths:
        return _missing(name, "a focal length")
    listed = ", ".join(f"{one:.3g}" for one in lengths[:8])
    if all(math.isfinite(one) and _SHORTEST_MM <= one <= _LONGEST_MM for one in lengths):
        return passed_test(name, "PLAUSIBLE", f"The camera has focal lengths of {listed} mm.")
    return _failed(name, "IMPOSSIBLE_LENS", f"Focal lengths of {listed} mm do not fit into a phone.")


def _transport(camera: CameraClaim, platform: Platform) -> DeviceTest:
    name = "camera.transport"
    tokens = tokens_of(camera.transport)
    if not tokens:
        return _not_reported(name, platform)
    if tokens == _VIRTUAL_TRANSPORT:
        return _failed(name, "VIRTUAL", "The system states that the camera is virtual.", soft=False)
    if platform.is_phone and tokens[:1] == _USB_TRANSPORT:
        return _failed(name, "USB", "The camera is attached to the phone by USB.")
    return passed_test(name, "PHYSICAL", "The camera's transport is not virtual.")


def _clock(camera: CameraClaim, platform: Platform) -> DeviceTest:
    name = "camera.clock"
    known = _CLOCKS.get(platform)
    if known is None:
        return _not_reported(name, platform)
    source = "".join(tokens_of(camera.timestamp_source))
    if not source:
        return _missing(name, "its capture clock's time base")
    if source in known:
        return passed_test(name, "SENSOR_CLOCK", f'The capture clock is "{source}".')
    return _failed(
        name, "UNKNOWN_CLOCK", f'The capture clock is "{source[:64]}", which the platform does not have.'
    )


_failed = partial(suspect, sign=Manipulation.VIRTUAL_CAMERA)


def _missing(name: str, what: str) -> DeviceTest:
    return unavailable(name, "NOT_SENT", f"The device did not state {what}, which its system knows.")


def _not_reported(name: str, platform: Platform) -> DeviceTest:
    return not_evaluated(
        name,
        "NOT_TOLD_BY_PLATFORM",
        f"Devices of platform {platform} need not state this property, or do not know it.",
    )


# Tests whether the frames' headers show a real camera's exposure, clock and size.
#
# All metadata are claims of the client, so an attacker who copies a real phone's metadata passes. Metadata
# that was copied from another scan contradicts the frames: see ``policy.contradictions``.

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
) -> tuple[DeviceTest, ...]:
    """Compare the headers of one stream's frames with each other and with the camera's description.

    Args:
        frames: In order of arrival.
        adjustments: How often the server requested smaller frames. The size may change as often.

    Returns:
        ``camera.exposure``, ``camera.timestamps`` and ``camera.frame_size``, in this order.
    """
    return _exposure(frames), _timestamps(frames), _frame_size(frames, camera, adjustments)


def _exposure(frames: Sequence[FrameClaim]) -> DeviceTest:
    name = "camera.exposure"
    stated = [(frame, frame.exposure) for frame in frames if frame.exposure is not None]
    usable = [(frame, claim) for frame, claim in stated if claim.gain > 0]
    if len(usable) < _FEWEST_FRAMES:
        return unavailable(name, "EXPOSURE_NOT_SENT", "Too few frames state exposure time and sensitivity.")
    shortest = min((now.capture_time_us - last.capture_time_us for last, now in pairwise(frames)), default=0)
    longest = max(claim.exposure_time_ns for _, claim in usable) / 1000
    if shortest > 0 and longest > _LONGEST_SHARE * shortest:
        return suspect(
            name,
            "EXPOSURE_LONGER_THAN_FRAME",
            f"The longest exposure of a frame is {longest / 1000:.1f} ms, but the shortest time between "
            f"frames is {shortest / 1000:.1f} ms.",
        )
    if any(claim.exposure_locked for _, claim in usable):
        return not_evaluated(name, "EXPOSURE_LOCKED", "The exposure was locked.")
    steps = {frame.flash_step for frame, _ in usable}
    if len(steps) < _FEWEST_STEPS:
        return not_evaluated(
            name, "LIGHT_UNCHANGED", "Too few colours were displayed to expect a change of the exposure."
        )
    if len({(claim.exposure_time_ns, claim.iso) for _, claim in usable}) == 1:
        return suspect(
            name,
            "EXPOSURE_CONSTANT",
            f"Exposure and sensitivity stayed constant while {len(steps)} colours were displayed, "
            "although they were not locked.",
        )
    return passed_test(name, "EXPOSURE_MOVED", "Exposure or sensitivity changed while the light changed.")


def _timestamps(frames: Sequence[FrameClaim]) -> DeviceTest:
    name = "camera.timestamps"
    if len(frames) < _FEWEST_FRAMES:
        return unavailable(name, "TOO_FEW_FRAMES", f"{len(frames)} frames are too few.")
    steps = [now.capture_time_us - last.capture_time_us for last, now in pairwise(frames)]
    if min(steps) <= 0:
        return suspect(
            name, "NOT_RISING", "A frame was captured no later than the one before it.", soft=False
        )
    off = _off_grid(steps)
    if off <= _GRID_US:
        return suspect(
            name,
            "ON_A_GRID",
            f"All {len(steps)} times between frames are multiples of one period to within {off:.1f} µs.",
        )
    return passed_test(
        name, "UNEVEN", f"Times between frames deviate from an even grid by up to {off:.0f} µs."
    )


def _off_grid(steps: Sequence[int]) -> float:
    """Return the frames' largest deviation from an even grid through the first and last one, microseconds.

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


def _frame_size(frames: Sequence[FrameClaim], camera: CameraClaim, adjustments: int) -> DeviceTest:
    name = "camera.frame_size"
    if not frames:
        return unavailable(name, "TOO_FEW_FRAMES", "There are no frames.")
    sizes = [(frame.width, frame.height) for frame in frames]
    # Asked for fewer bytes, a client may scale its frames down, and again where they hold more detail.
    changes = sum(last != now and not (adjustments and now < last) for last, now in pairwise(sizes))
    if changes > adjustments:
        return suspect(
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
        return suspect(
            name, "ROTATION_CHANGED", f"Rotation or mirroring of the frames changed {turns} times."
        )
    if camera.width <= 0 or camera.height <= 0:
        return unavailable(name, "SIZE_NOT_SENT", "The device did not state the size of its camera's frames.")
    width, height = sizes[0]
    # A client may rotate its frames before it encodes them, so either side may be the width.
    long_share = max(width, height) / max(camera.width, camera.height)
    short_share = min(width, height) / min(camera.width, camera.height)
    if max(long_share, short_share) > 1:
        return suspect(
            name,
            "LARGER_THAN_CAMERA",
            f"The frames are {width} x {height}, larger than the camera's {camera.width} x {camera.height}.",
        )
    if abs(long_share - short_share) > _SAME_ASPECT * max(long_share, short_share):
        return suspect(
            name,
            "OTHER_SHAPE",
            f"The frames are {width} x {height}, another aspect ratio than the camera's "
            f"{camera.width} x {camera.height}.",
        )
    return passed_test(name, "AS_DESCRIBED", f"The camera can deliver frames of {width} x {height}.")
