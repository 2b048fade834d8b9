"""What a device was shown while it captured an attempt."""

__all__ = ["Shown"]


class Shown:
    """Feedback and flash steps of one attempt.

    Attributes:
        step: The last flash step that was revealed in the stream; 0 for none.
    """

    def __init__(self, *, step: int) -> None:
        """Takes the last step that earlier attempts revealed."""
        self.step = step
        self._codes: dict[str, None] = {}

    @property
    def codes(self) -> tuple[str, ...]:
        """Feedback codes, in the order in which they first came up."""
        return tuple(self._codes)

    def feedback(self, code: str) -> None:
        """It was shown ``code``."""
        self._codes[code] = None
