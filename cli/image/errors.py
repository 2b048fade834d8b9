"""What keeps an image from being looked into or turned into another form.

::

    ImageCommandError
    ├── FileUnusable           the file cannot be read or written, or is in the way
    ├── ConversionImpossible   the picture or the record cannot take the form that was asked for
    └── PolicyUnusable         there is no such policy, or the pack cannot assess what it makes hard

Every message says what was wrong, what was expected and what to do. What ``matcher`` and ``vision`` raise
about the image's bytes is told as it is.
"""

__all__ = ["ConversionImpossible", "FileUnusable", "ImageCommandError", "PolicyUnusable"]


class ImageCommandError(Exception):
    """Root of everything that this folder raises."""


class FileUnusable(ImageCommandError):
    """A file cannot be read or written, or there is already one of the name."""


class ConversionImpossible(ImageCommandError):
    """The picture or the record cannot take the form that was asked for."""


class PolicyUnusable(ImageCommandError):
    """There is no such policy, it is broken, or it makes hard what the pack can assess in no image."""
