"""What can be wrong with what a measurement of the flash is given."""

__all__ = ["DynamicEvaluationError"]


class DynamicEvaluationError(Exception):
    """Photos, split or rows cannot be used. The message says why."""
