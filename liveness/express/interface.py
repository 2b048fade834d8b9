"""The interface of the signals of an express scan, and the measurements that some of them take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal


@dataclass(frozen=True, slots=True)
class PadScore:
    """The result of one PAD network for one frame.

    Attributes:
        frame_index: The frame's index in the scan.
        network: ``PadNetwork.name``.
        real_probability: The probability that the face is real, 0..1.
    """

    frame_index: int
    network: str
    real_probability: float


COLOURLESS: Final = "colourless"
"""The mark of a frame without colours in ``FrameCues.values``; its value is 1."""


@dataclass(frozen=True, slots=True)
class FrameCues:
    """The single-frame cues of recapture of one frame.

    Attributes:
        frame_index: The frame's index in the scan.
        values: The measured value in the cue's own unit, by the cue's name, which is also its signal's; a cue
            that could not be measured in this frame is missing. A frame without colours has ``COLOURLESS``,
            too.
    """

    frame_index: int
    values: Mapping[str, float]

    @property
    def colourless(self) -> bool:
        """Whether the frame is grey, as an infrared or monochrome camera gives it."""
        return COLOURLESS in self.values


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
        """Measures ``scan``; the signal is not assessed if the scan has too little data."""
        ...
