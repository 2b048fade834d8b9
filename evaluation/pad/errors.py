"""What keeps presentation attack detection from being measured.

::

    PadEvaluationError
    ├── DatasetError         a manifest or folder is missing or breaks its form
    └── NothingToMeasure     no bona fide or no attack presentation, or no scorer that can judge them

Every message says what was wrong, what was expected and what to do, in one line. No message holds a
picture's content.
"""

__all__ = ["DatasetError", "NothingToMeasure", "PadEvaluationError"]


class PadEvaluationError(Exception):
    """Root of everything that this folder raises."""


class DatasetError(PadEvaluationError):
    """A manifest or folder is missing or breaks its form."""


class NothingToMeasure(PadEvaluationError):
    """No bona fide or no attack presentation, or no scorer that can judge them."""
