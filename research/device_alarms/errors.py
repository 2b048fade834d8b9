"""The errors of this study."""

__all__ = ["MaterialError"]


class MaterialError(Exception):
    """The recorded material is missing or cannot be read. The message names it."""
