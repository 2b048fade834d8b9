"""What can go wrong while a PAD network is trained or compared."""

__all__ = ["MaterialError", "PadNetworkError", "TrainingUnavailable"]


class PadNetworkError(Exception):
    """The base of this package's errors; its text is for the person at the terminal."""


class MaterialError(PadNetworkError):
    """The images, their manifest or a file made from them cannot be used."""


class TrainingUnavailable(PadNetworkError):
    """PyTorch is not installed; it is needed for training alone."""
