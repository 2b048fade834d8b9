"""A test device as an attestor of the reference client."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from facegate.v1 import device_pb2

from cli.test_devices.messages import attestation_of
from simulator.devices import TestDevice

__all__ = ["DeviceAttestor"]


class DeviceAttestor:
    """Implements ``facegate_client.Attestor``."""

    def __init__(
        self, device: TestDevice, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Takes the device.

        Args:
            device: The device that makes the evidence.
            now: Returns the time for the evidence.
        """
        self._device = device
        self._now = now

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Yields the device's evidence for a stream's binding hash H, 32 bytes."""
        for piece in self._device.evidence(binding, now=self._now()):
            yield attestation_of(piece)
