"""The interface of the eight signals."""

from typing import Protocol

from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal


class SelfieSignal(Protocol):
    """One named measurement of a selfie."""

    @property
    def name(self) -> str:
        """``Signal.name``, as in the older selfie API (docs/analysis_service.md)."""
        ...

    @property
    def label(self) -> str:
        """``Signal.label``."""
        ...

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """Measures ``subject``; the signal is not assessed if it cannot be measured."""
        ...
