"""The errors of the measurement of the flash."""

__all__ = ["DynamicEvaluationError"]


class DynamicEvaluationError(Exception):
    """Photos, split or rows cannot be used. The message states why."""
