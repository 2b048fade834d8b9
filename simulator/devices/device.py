"""A test device: its claims, the handling of its frames, and its evidence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from device_integrity import RuntimeReport
from device_integrity.camera import CameraClaim, DeviceClaim
from simulator.devices.evidence import Evidence

__all__ = ["AttestedUse", "EvidenceMaker", "StreamHabit", "TestDevice"]


@dataclass(slots=True)
class AttestedUse:
    """The state of a device's App Attest key from scan to scan.

    Attributes:
        counter: Number of signatures since the key was enrolled; ``None`` before.
    """

    counter: int | None = None


EvidenceMaker: TypeAlias = Callable[[bytes, datetime, AttestedUse], tuple[Evidence, ...]]
"""Makes evidence for a binding hash of 32 bytes, at a time with a time zone; it updates the state of the
key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHabit:
    """How a device changes the frames of its camera.

    Attributes:
        loop_frames: Number of frames that it keeps and repeats; 0 to send every frame.
        even_timing: Whether its capture times are exact multiples of one.
        constant_exposure: Whether it claims the same exposure for all frames.
    """

    loop_frames: int = 0
    even_timing: bool = False
    constant_exposure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDevice:
    """A device of one kind.

    Attributes:
        claim: Its claim about itself.
        camera: Its claim about its camera.
        habit: Its changes to frames.
        use: State of its App Attest key.
        report: The run-time findings of its app, and the searches for them.
        make_evidence: Makes its evidence.
    """

    __test__ = False  # not a test class, despite its name

    claim: DeviceClaim
    camera: CameraClaim
    make_evidence: EvidenceMaker
    report: RuntimeReport
    habit: StreamHabit = StreamHabit()
    use: AttestedUse = field(default_factory=AttestedUse)

    def evidence(self, binding: bytes, *, now: datetime) -> tuple[Evidence, ...]:
        """Make the evidence of the device.

        Args:
            binding: The evidence challenge E of the stream, 32 bytes, for which the evidence is made.
            now: The present time, with a time zone.
        """
        return self.make_evidence(binding, now, self.use)
