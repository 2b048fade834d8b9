"""What a device claims of itself, its camera and its frames. Nothing of it is verified here."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CameraClaim", "CameraFacing", "DeviceClaim", "ExposureClaim", "FrameClaim", "Platform"]


class Platform(StrEnum):
    """The kind of device; the names are those of ``facegate.v1.Platform``."""

    UNSPECIFIED = "UNSPECIFIED"
    ANDROID = "ANDROID"
    IOS = "IOS"
    WEB = "WEB"
    DESKTOP = "DESKTOP"

    @property
    def is_phone(self) -> bool:
        """Whether cameras of this platform are built in and described by the system."""
        return self in {Platform.ANDROID, Platform.IOS}


class CameraFacing(StrEnum):
    """Where a camera looks; the names are those of ``facegate.v1.CameraFacing``."""

    UNSPECIFIED = "UNSPECIFIED"
    FRONT = "FRONT"
    BACK = "BACK"
    EXTERNAL = "EXTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaim:
    """See ``facegate.v1.DeviceProfile``; an empty text is one that the device did not give."""

    platform: Platform
    manufacturer: str = ""
    model: str = ""
    os_version: str = ""
    app_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraClaim:
    """See ``facegate.v1.CameraProfile``.

    Attributes:
        id: The platform's identifier.
        label: Name for people.
        facing: Where it looks.
        width: Of its frames before rotation, pixels; 0 where unknown.
        height: Of its frames before rotation, pixels; 0 where unknown.
        frames_per_second: That were asked for; 0 where unknown.
        sensor_orientation_degrees: Clockwise, between sensor and natural orientation.
        hardware_level: Camera2 INFO_SUPPORTED_HARDWARE_LEVEL or AVCaptureDevice deviceType; may be empty.
        transport: Driver, transport or USB identifiers; may be empty.
        focal_lengths_mm: Of its lenses; may be empty.
        timestamp_source: What the capture clock counts from; may be empty.
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
class ExposureClaim:
    """See ``facegate.v1.ExposureMetadata``: nanoseconds and ISO 12232 sensitivity; 0 means unknown."""

    exposure_time_ns: int = 0
    iso: int = 0
    exposure_locked: bool = False

    @property
    def gain(self) -> float:
        """Exposure time times sensitivity, second ISO; 0 where either is unknown.

        The brightness of an unchanged scene is proportional to it (ISO 12232).
        """
        return self.exposure_time_ns * 1e-9 * self.iso


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameClaim:
    """What a frame's header says; see ``facegate.v1.FrameHeader``.

    Attributes:
        capture_time_us: Device clock, microseconds.
        width: Of the encoded image, pixels.
        height: Of the encoded image, pixels.
        rotation_degrees: Clockwise rotation that makes the image upright.
        mirrored: Whether it is mirrored.
        flash_step: The colour step on display; 0 for none.
        exposure: What the camera did; ``None`` where the device says nothing.
    """

    capture_time_us: int
    width: int
    height: int
    rotation_degrees: int = 0
    mirrored: bool = False
    flash_step: int = 0
    exposure: ExposureClaim | None = None
