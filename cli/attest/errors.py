"""What keeps evidence from being looked into.

::

    AttestCommandError
    ├── FileUnusable       a file cannot be read, or is too long
    ├── NotEvidence        the bytes are no kind of evidence that is known
    └── OptionUnusable     an option cannot be understood

Every message says what was wrong, what was expected and what to do.
"""

__all__ = ["AttestCommandError", "FileUnusable", "NotEvidence", "OptionUnusable"]


class AttestCommandError(Exception):
    """Root of everything that this folder raises."""


class FileUnusable(AttestCommandError):
    """A file cannot be read, or is too long."""


class NotEvidence(AttestCommandError):
    """The bytes are no kind of evidence that is known."""


class OptionUnusable(AttestCommandError):
    """An option cannot be understood."""
