"""The feedback and flash steps that a device showed during an attempt."""

__all__ = ["Shown"]


class Shown:
    """Records the feedback and flash steps of one attempt.

    Attributes:
        step: The last flash step that was revealed in the stream; 0 for none.
    """

    def __init__(self, *, step: int) -> None:
        """Initialises the record with the last step that earlier attempts revealed."""
        self.step = step
        self._codes: dict[str, None] = {}

    @property
    def codes(self) -> tuple[str, ...]:
        """Feedback codes, in the order in which they first occurred."""
        return tuple(self._codes)

    def feedback(self, code: str) -> None:
        """Records that ``code`` was sent to the device."""
        self._codes[code] = None
