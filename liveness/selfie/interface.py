"""What each of the eight signals offers."""

from typing import Protocol

from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal


class SelfieSignal(Protocol):
    """One named measurement of a selfie."""

    @property
    def name(self) -> str:
        """``Signal.name``, as seed 002 has it."""
        ...

    @property
    def label(self) -> str:
        """``Signal.label``."""
        ...

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """Measure ``subject``; what cannot be measured gives a signal that is not assessed."""
        ...
