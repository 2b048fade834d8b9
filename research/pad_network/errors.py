"""The errors of training and comparing a PAD network."""

__all__ = ["MaterialError", "PadNetworkError", "TrainingUnavailable"]


class PadNetworkError(Exception):
    """Base class of this package's errors; its text is for the person at the terminal."""


class MaterialError(PadNetworkError):
    """The images, their manifest or a file made from them cannot be used."""


class TrainingUnavailable(PadNetworkError):
    """PyTorch is not installed; only training needs it."""
