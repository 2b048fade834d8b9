"""Escapes unprintable characters in names and texts for a terminal."""

from pathlib import Path

__all__ = ["printable", "shown_name"]


def printable(text: str) -> str:
    r"""Returns ``text`` with unprintable characters escaped: control characters and those that hide others.

    A file name can contain anything: escape sequences recolour a terminal or rewrite lines above, and marks
    of direction turn ``exe.jpg`` into ``gpj.exe``.

    Returns:
        Printable text, ``\x1b`` for an escape character.
    """
    return "".join(character if character.isprintable() else _written(character) for character in text)


def shown_name(path: Path) -> str:
    """Returns a path for a terminal or a page; see ``shown``."""
    return printable(str(path))


def _written(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
