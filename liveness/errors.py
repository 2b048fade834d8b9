"""The exceptions of this package.

::

    LivenessError
    ├── ObservationError     the frames do not form one scan
    ├── FusionModelError     the fusion model's data file is not usable
    ├── SelfieModelError     the data file of the eight signals' weights is not usable
    ├── FlashModelError      the flash model's data file is not usable
    ├── RandomSourceError    the source of a challenge's randomness is faulty
    ├── LivenessPolicyError  a policy or a setting contradicts itself
    └── ContradictoryResult  a result's verdict and score contradict each other

A spoof is not an error but a result.
"""


class LivenessError(Exception):
    """The package cannot decide. The message gives the reason and contains no biometric data."""


class ObservationError(LivenessError):
    """The frames do not form one scan: they are out of order, of different sizes, or lack their view."""


class FusionModelError(LivenessError):
    """The fusion model's data file lacks a part, or contains an invalid one."""


class SelfieModelError(LivenessError):
    """The data file of the eight signals' weights lacks a part, or contains an invalid one."""


class FlashModelError(LivenessError):
    """The flash model's data file lacks a part, or contains an invalid one."""


class RandomSourceError(LivenessError):
    """The source of a challenge's randomness is faulty. No challenge can be drawn from it."""


class LivenessPolicyError(LivenessError):
    """A policy or a setting contradicts itself, such as a spoof threshold above the live one."""


class ContradictoryResult(LivenessError):
    """A result's verdict, score and reasons contradict each other: an error in the judging code."""
