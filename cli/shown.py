"""Names and texts on a terminal: what is not printable is shown, not obeyed."""

from pathlib import Path

__all__ = ["shown", "shown_name"]


def shown(text: str) -> str:
    r"""``text`` with every character that a terminal could obey, or that hides others, written out.

    A file may be called anything: escape sequences in its name recolour a terminal or rewrite lines above,
    and marks of direction make ``gpj.exe`` of ``exe.jpg``.

    Returns:
        Printable text, ``\x1b`` for an escape character.
    """
    return "".join(character if character.isprintable() else _written(character) for character in text)


def shown_name(path: Path) -> str:
    """A path as it may stand on a terminal and in a page; see ``shown``."""
    return shown(str(path))


def _written(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
