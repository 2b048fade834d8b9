"""The profiles in ScanStart: those of the reference client and of its camera."""

import platform
import uuid
from importlib.metadata import PackageNotFoundError, version

from facegate.v1 import device_pb2

from facegate_client.frame_source import CameraDescription

__all__ = ["camera_profile", "desktop_profile"]

_APP_ID = "org.facegate.reference-client"


def desktop_profile() -> device_pb2.DeviceProfile:
    """Returns a PLATFORM_DESKTOP profile with a new random installation identifier."""
    return device_pb2.DeviceProfile(
        platform=device_pb2.PLATFORM_DESKTOP,
        manufacturer=_at_most(platform.system(), 128),
        model=_at_most(platform.machine(), 128),
        os_version=_at_most(platform.release(), 64),
        app_id=_APP_ID,
        app_version=_version(),
        sdk_version=_at_most(f"facegate-python {_version()}", 64),
        installation_id=uuid.uuid4().hex,
    )


def camera_profile(camera: CameraDescription) -> device_pb2.CameraProfile:
    """Returns the camera's profile for ScanStart."""
    return device_pb2.CameraProfile(
        id=_at_most(camera.label, 256),
        label=_at_most(camera.label, 256),
        facing=device_pb2.CAMERA_FACING_EXTERNAL,
        width=camera.width,
        height=camera.height,
        frames_per_second=camera.frames_per_second,
        timestamp_source=_at_most(camera.timestamp_source, 64),
    )


def _version() -> str:
    try:
        return _at_most(version("facegate-client"), 48)
    except PackageNotFoundError:
        return "unknown"


def _at_most(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")
