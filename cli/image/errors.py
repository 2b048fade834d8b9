"""What keeps an image from being looked into or turned into another form.

::

    ImageCommandError
    ├── FileUnusable           the file cannot be read or written, or is in the way
    └── ConversionImpossible   the picture or the record cannot take the form that was asked for

Every message says what was wrong, what was expected and what to do. What ``matcher`` and ``vision`` raise
about the image's bytes is told as it is.
"""

__all__ = ["ConversionImpossible", "FileUnusable", "ImageCommandError"]


class ImageCommandError(Exception):
    """Root of everything that this folder raises."""


class FileUnusable(ImageCommandError):
    """A file cannot be read or written, or there is already one of the name."""


class ConversionImpossible(ImageCommandError):
    """The picture or the record cannot take the form that was asked for."""
