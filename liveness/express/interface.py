"""What every signal of an express scan offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal


@dataclass(frozen=True, slots=True)
class PadScore:
    """What one PAD network said of one frame.

    Attributes:
        frame_index: The frame's index in the scan.
        network: ``PadNetwork.name``.
        real_probability: 0..1.
    """

    frame_index: int
    network: str
    real_probability: float


@dataclass(frozen=True, slots=True)
class FrameCues:
    """What single-frame cues of recapture measured in one frame.

    Attributes:
        frame_index: The frame's index in the scan.
        values: A cue's name, which is its signal's, and its measured value in the cue's own unit; a cue
            that could not be measured in this frame is missing.
    """

    frame_index: int
    values: Mapping[str, float]


class ExpressSignal(Protocol):
    """One named measurement of a whole scan."""

    @property
    def name(self) -> str:
        """``Signal.name``."""
        ...

    @property
    def label(self) -> str:
        """``Signal.label``."""
        ...

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """Measure ``scan``; a scan with too little to go by gives a signal that is not assessed."""
        ...
