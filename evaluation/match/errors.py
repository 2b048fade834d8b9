"""What keeps "same person?" from being measured.

::

    MatchEvaluationError
    ├── PhotoListError       a manifest, pairs file, folder or corrections file is missing or breaks its form
    ├── NothingToMeasure     too few persons, photos or comparisons, or too many to hold
    └── EmbeddersDiffer      the packs of one calibration have different embedders

Every message says what was wrong, what was expected and what to do, in one line. No message holds a
photo's content or a template.
"""

__all__ = [
    "EmbeddersDiffer",
    "MatchEvaluationError",
    "NothingToMeasure",
    "PhotoListError",
]


class MatchEvaluationError(Exception):
    """Root of everything that this folder raises."""


class PhotoListError(MatchEvaluationError):
    """A manifest, pairs file, folder or corrections file is missing or breaks its form."""


class NothingToMeasure(MatchEvaluationError):
    """Too few persons, photos or comparisons, or too many to hold."""


class EmbeddersDiffer(MatchEvaluationError):
    """The packs of one calibration have different embedders."""
