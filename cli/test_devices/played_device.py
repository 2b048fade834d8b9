"""A test device of `facegate verify`: the parts for a reference client."""

from dataclasses import dataclass
from pathlib import Path

from facegate.v1 import device_pb2

from cli.errors import PlatformUnusable
from cli.test_devices.platform_files import StoredPlatform, read_platform
from facegate_client import FrameSource
from simulator.devices import DeviceKind, TestDevice
from simulator.devices.client import (
    DeviceAttestor,
    PlayedSource,
    camera_profile_of,
    device_profile_of,
    runtime_findings_of,
)

__all__ = ["PlayedDevice", "open_played_device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedDevice:
    """The parts of a device that a ``facegate_client.FaceScanner`` needs.

    Attributes:
        device: The device.
        stored: Its platform.
    """

    device: TestDevice
    stored: StoredPlatform

    @property
    def attestor(self) -> DeviceAttestor:
        """The attestor that makes its evidence."""
        return DeviceAttestor(self.device)

    @property
    def profile(self) -> device_pb2.DeviceProfile:
        """Its claim, as a message."""
        return device_profile_of(self.device.claim)

    @property
    def camera(self) -> device_pb2.CameraProfile:
        """Its claim on its camera, as a message."""
        return camera_profile_of(self.device.camera)

    @property
    def runtime_findings(self) -> device_pb2.RuntimeFindings:
        """The run-time findings of its app, as a message."""
        return runtime_findings_of(self.device.report)

    def source(self, source: FrameSource) -> PlayedSource:
        """Returns a source of frames, changed as the device does."""
        return PlayedSource(source, self.device.habit)

    def save(self) -> None:
        """Stores the state of the device for its next scan.

        Raises:
            PlatformUnusable: The platform's folder cannot be written.
        """
        self.stored.save(self.device)


def open_played_device(kind: str, folder: Path) -> PlayedDevice:
    """Opens a device of a stored platform, with the state of its earlier scans.

    Args:
        kind: A ``simulator.devices.DeviceKind``.
        folder: Folder of the platform.

    Raises:
        PlatformUnusable: There is no such kind, or no platform in the folder.
    """
    if kind not in set(DeviceKind):
        raise PlatformUnusable(f"{kind!r} is not a test device; known: {', '.join(DeviceKind)}")
    stored = read_platform(folder)
    return PlayedDevice(device=stored.device(DeviceKind(kind)), stored=stored)
