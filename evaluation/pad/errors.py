"""The errors of the measurement of presentation attack detection.

::

    PadEvaluationError
    ├── DatasetError         a manifest or folder is missing or breaks its form
    └── NothingToMeasure     no bona fide or no attack presentation, or no scorer that can judge them

Every message states in one line what was wrong, what was expected and what to do. No message contains image
content.
"""

__all__ = ["DatasetError", "NothingToMeasure", "PadEvaluationError"]


class PadEvaluationError(Exception):
    """Base class of the errors of this folder."""


class DatasetError(PadEvaluationError):
    """A manifest or folder is missing or breaks its form."""


class NothingToMeasure(PadEvaluationError):
    """There is no bona fide or no attack presentation, or no scorer that can judge them."""
