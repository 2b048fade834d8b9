"""A device's claims about itself, its camera and its frames. This module verifies none of them."""

from dataclasses import dataclass
from enum import StrEnum

from formats.exposure import ExposureClaim


class Platform(StrEnum):
    """The kind of device; the names are those of ``facegate.v1.Platform``."""

    UNSPECIFIED = "UNSPECIFIED"
    ANDROID = "ANDROID"
    IOS = "IOS"
    WEB = "WEB"
    DESKTOP = "DESKTOP"

    @property
    def is_phone(self) -> bool:
        """Whether cameras of this platform are built in and the system describes them."""
        return self in {Platform.ANDROID, Platform.IOS}


class CameraFacing(StrEnum):
    """The direction of a camera; the names are those of ``facegate.v1.CameraFacing``."""

    UNSPECIFIED = "UNSPECIFIED"
    FRONT = "FRONT"
    BACK = "BACK"
    EXTERNAL = "EXTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaim:
    """See ``facegate.v1.DeviceProfile``; a text is empty if the device did not give it."""

    platform: Platform
    manufacturer: str = ""
    model: str = ""
    os_version: str = ""
    app_id: str = ""
    sdk_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraClaim:
    """See ``facegate.v1.CameraProfile``.

    Attributes:
        label: The name that people read.
        width: Width of its frames before rotation, pixels; 0 if unknown.
        height: Height of its frames before rotation, pixels; 0 if unknown.
        frames_per_second: The requested rate; 0 if unknown.
        sensor_orientation_degrees: Clockwise angle between sensor and natural orientation.
        hardware_level: Camera2 INFO_SUPPORTED_HARDWARE_LEVEL or AVCaptureDevice deviceType; may be empty.
        transport: Driver, transport or USB identifiers; may be empty.
        focal_lengths_mm: Focal lengths of its lenses; may be empty.
        timestamp_source: The capture clock's time base; may be empty.
    """

    id: str = ""
    label: str = ""
    facing: CameraFacing = CameraFacing.UNSPECIFIED
    width: int = 0
    height: int = 0
    frames_per_second: float = 0.0
    sensor_orientation_degrees: int = 0
    hardware_level: str = ""
    transport: str = ""
    focal_lengths_mm: tuple[float, ...] = ()
    timestamp_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameClaim:
    """The claims of a frame's header; see ``facegate.v1.FrameHeader``.

    Attributes:
        capture_time_us: Capture time on the device's clock, microseconds.
        width: Width of the encoded image, pixels.
        height: Height of the encoded image, pixels.
        rotation_degrees: Clockwise rotation that makes the image upright.
        flash_step: The colour step on display; 0 for none.
        exposure: The camera's exposure; ``None`` if the device does not state it.
    """

    capture_time_us: int
    width: int
    height: int
    rotation_degrees: int = 0
    mirrored: bool = False
    flash_step: int = 0
    exposure: ExposureClaim | None = None
