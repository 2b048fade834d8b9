"""A PAD network that records how often it is asked."""

from vision.face import BgrImage, DetectedFace

__all__ = ["CountingNetwork"]


class CountingNetwork:
    """Gives every face the same probability; implements ``vision.packs.interfaces.PadNetwork``.

    Attributes:
        name: Its name.
        asked: The number of faces it has scored.
    """

    def __init__(self, name: str = "counting", *, real: float = 0.5) -> None:
        """Starts at 0; ``real`` is the probability of a real face."""
        self.name = name
        self.asked = 0
        self._real = real

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """The probability of a real face, whatever the image shows."""
        self.asked += 1
        return self._real
