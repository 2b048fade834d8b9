"""The errors of the measurement of face comparison.

::

    MatchEvaluationError
    ├── PhotoListError       a manifest, pairs file, folder or corrections file is missing or breaks its form
    ├── NothingToMeasure     too few persons, photos or comparisons, or too many to hold
    └── EmbeddersDiffer      the packs of one calibration have different embedders

Every message states in one line what was wrong, what was expected and what to do. No message contains the
content of a photo or a template.
"""

__all__ = [
    "EmbeddersDiffer",
    "MatchEvaluationError",
    "NothingToMeasure",
    "PhotoListError",
]


class MatchEvaluationError(Exception):
    """Base class of the errors of this folder."""


class PhotoListError(MatchEvaluationError):
    """A manifest, pairs file, folder or corrections file is missing or breaks its form."""


class NothingToMeasure(MatchEvaluationError):
    """There are too few persons, photos or comparisons, or too many for the memory."""


class EmbeddersDiffer(MatchEvaluationError):
    """The packs of one calibration have different embedders."""
