"""What keeps a file from being analysed, or a page from being written.

::

    AnalyzeCommandError
    ├── FileUnusable       the file cannot be read, or is no regular file, or is too long
    ├── PageUnwritable     the page cannot be written, or a file is in the way
    ├── PolicyUnusable     there is no such policy, or it is broken
    └── ServerUnusable     the server's answer cannot be had, or not with these options

Every message says what was wrong, what was expected and what to do. What ``server.analysis`` and
``vision`` say of a file's content is told as it is.
"""

__all__ = ["AnalyzeCommandError", "FileUnusable", "PageUnwritable", "PolicyUnusable", "ServerUnusable"]


class AnalyzeCommandError(Exception):
    """Root of everything that this folder raises."""


class FileUnusable(AnalyzeCommandError):
    """A file cannot be read, is no regular file, or is longer than anything that is analysed."""


class PageUnwritable(AnalyzeCommandError):
    """The page of ``--explain`` cannot be written, or there is already a file of its name."""


class PolicyUnusable(AnalyzeCommandError):
    """There is no such policy, or it or the settings that name its folder are broken."""


class ServerUnusable(AnalyzeCommandError):
    """The server cannot be reached, refuses, or cannot do what was asked for."""
