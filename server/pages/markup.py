"""HTML that is safe by type: everything other than `Html` is text, and ``Html.format`` escapes it."""

import base64
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from markupsafe import Markup as Html

__all__ = ["NOTHING", "Html", "data_uri", "joined", "stylesheet", "template"]

NOTHING: Final = Html("")


@cache
def template(package: str, name: str) -> Html:
    """Returns a file of a package's folder ``templates``, for ``format``: text is escaped, `Html` is not.

    Args:
        package: Name of the package with the folder.
        name: The file's name without ``.html``.
    """
    return Html(_read(package, f"{name}.html"))  # noqa: S704 -- a file of ours


@cache
def stylesheet(package: str, name: str) -> Html:
    """Returns a style sheet of a package's folder ``templates``, for a page.

    Args:
        package: Name of the package with the folder.
        name: The file's name without ``.css``.
    """
    return Html(_read(package, f"{name}.css"))  # noqa: S704 -- a file of ours


def joined(pieces: Iterable[Html]) -> Html:
    """Joins pieces of markup with newlines."""
    return Html("\n").join(pieces)


def data_uri(content: bytes, *, media_type: str) -> str:
    """Returns a file as a data URI, so that a page needs no other file."""
    return f"data:{media_type};base64," + base64.b64encode(content).decode("ascii")


def _read(package: str, name: str) -> str:
    return (files(package) / "templates" / name).read_text(encoding="utf-8")
