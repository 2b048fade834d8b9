"""A test device as `facegate verify` plays it: the parts that a reference client takes."""

from dataclasses import dataclass
from pathlib import Path

from facegate.v1 import device_pb2

from cli.errors import PlatformUnusable
from cli.test_devices.attestor import DeviceAttestor
from cli.test_devices.messages import camera_profile_of, device_profile_of, runtime_findings_of
from cli.test_devices.platform_files import StoredPlatform, read_platform
from cli.test_devices.played_source import PlayedSource
from facegate_client import FrameSource
from simulator.devices import DeviceKind, TestDevice

__all__ = ["PlayedDevice", "open_played_device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedDevice:
    """What a ``facegate_client.FaceScanner`` needs of a device.

    Attributes:
        device: The device.
        stored: Its platform.
    """

    device: TestDevice
    stored: StoredPlatform

    @property
    def attestor(self) -> DeviceAttestor:
        """Makes its evidence."""
        return DeviceAttestor(self.device)

    @property
    def profile(self) -> device_pb2.DeviceProfile:
        """What it says of itself."""
        return device_profile_of(self.device.claim)

    @property
    def camera(self) -> device_pb2.CameraProfile:
        """What it says of its camera."""
        return camera_profile_of(self.device.camera)

    @property
    def runtime_findings(self) -> device_pb2.RuntimeFindings:
        """What its app looked for and found."""
        return runtime_findings_of(self.device.report)

    def source(self, source: FrameSource) -> PlayedSource:
        """A source of frames, as the device shows it."""
        return PlayedSource(source, self.device.habit)

    def remember(self) -> None:
        """Keeps what the device did, for its next scan.

        Raises:
            PlatformUnusable: The platform's folder cannot be written.
        """
        self.stored.remember(self.device)


def open_played_device(kind: str, folder: Path) -> PlayedDevice:
    """A device of a stored platform, which remembers its earlier scans.

    Args:
        kind: A ``simulator.devices.DeviceKind``.
        folder: The platform's.

    Raises:
        PlatformUnusable: There is no such kind, or no platform in the folder.
    """
    if kind not in set(DeviceKind):
        raise PlatformUnusable(f"{kind!r} is not a test device; known: {', '.join(DeviceKind)}")
    stored = read_platform(folder)
    return PlayedDevice(device=stored.device(DeviceKind(kind)), stored=stored)
