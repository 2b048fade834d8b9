"""A test device: what it says of itself, how its frames flow, and what it shows when asked for evidence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from device_integrity.camera import CameraClaim, DeviceClaim
from device_integrity.runtime import RuntimeReport
from simulator.devices.evidence import Evidence

__all__ = ["AttestedUse", "EvidenceMaker", "StreamHabit", "TestDevice"]


@dataclass(slots=True)
class AttestedUse:
    """What a device remembers of its App Attest key from scan to scan.

    Attributes:
        counter: How often the key has signed since it was enrolled; ``None`` before.
    """

    counter: int | None = None


EvidenceMaker: TypeAlias = Callable[[bytes, datetime, AttestedUse], tuple[Evidence, ...]]
"""Evidence for a binding hash of 32 bytes, at a time with a time zone; changes what is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHabit:
    """What a device does to the frames of the camera that it stands for.

    Attributes:
        loop_frames: It keeps so many frames, and shows them again and again; 0 to show what comes.
        even_timing: Whether its capture times are exact multiples of one.
        constant_exposure: Whether it says the same exposure of all frames.
    """

    loop_frames: int = 0
    even_timing: bool = False
    constant_exposure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDevice:
    """A device of one kind.

    Attributes:
        claim: What it says of itself.
        camera: What it says of its camera.
        habit: What it does to frames.
        use: What it remembers of its App Attest key.
        report: What its app looked for and found while it ran.
        make_evidence: Makes what it shows.
    """

    __test__ = False  # no test class, whatever pytest thinks of its name

    claim: DeviceClaim
    camera: CameraClaim
    make_evidence: EvidenceMaker
    report: RuntimeReport
    habit: StreamHabit = StreamHabit()
    use: AttestedUse = field(default_factory=AttestedUse)

    def evidence(self, binding: bytes, *, now: datetime) -> tuple[Evidence, ...]:
        """What the device shows.

        Args:
            binding: What the evidence is made for, 32 bytes: the evidence challenge E of the stream.
            now: The present time, with a time zone.
        """
        return self.make_evidence(binding, now, self.use)
