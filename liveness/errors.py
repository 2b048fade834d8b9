"""What this room raises when it cannot decide.

::

    LivenessError
    ├── ObservationError     the frames handed in do not make one scan
    ├── FusionModelError     the fusion model's data file is not usable
    ├── SelfieModelError     the data file of the eight signals' weights is not usable
    ├── FlashModelError      the flash model's data file is not usable
    ├── RandomSourceError    the source of a challenge's randomness is broken
    ├── LivenessPolicyError  a policy or a setting contradicts itself
    └── ContradictoryResult  a result's verdict and score do not go together

A spoof is no error: it is a result.
"""


class LivenessError(Exception):
    """The liveness room cannot decide; the message says why and holds no biometric data."""


class ObservationError(LivenessError):
    """Frames do not make one scan: out of order, of different sizes, or with their view missing."""


class FusionModelError(LivenessError):
    """The fusion model's data file is missing something, or holds something it must not."""


class SelfieModelError(LivenessError):
    """The data file of the eight signals' weights is missing something, or holds something it must not."""


class FlashModelError(LivenessError):
    """The flash model's data file is missing something, or holds something it must not."""


class RandomSourceError(LivenessError):
    """The source of a challenge's randomness is broken; no challenge can be drawn from it."""


class LivenessPolicyError(LivenessError):
    """A policy or a setting contradicts itself, such as a spoof threshold above the live one."""


class ContradictoryResult(LivenessError):
    """A result's verdict, score and reasons do not go together: an error of the code that judged."""
