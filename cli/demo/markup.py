"""HTML that is safe by type: whatever is not `Html` is text, and is escaped."""

import base64
import html
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template

__all__ = ["Html", "fill", "joined", "jpeg_uri"]


class Html(str):
    """Markup that is ready for a page."""

    __slots__ = ()


def fill(template: str, **values: str | Html | Iterable[Html]) -> Html:
    """Fills a template of this folder.

    Args:
        template: The file's name without ``.html``.
        values: What stands for each ``$name``: text is escaped, `Html` is taken as it is, several
            pieces of it are put one after the other.

    Raises:
        KeyError: A name of the template has no value.
    """
    return Html(_template(template).substitute({name: _markup(value) for name, value in values.items()}))


def joined(pieces: Iterable[Html]) -> Html:
    """Pieces of markup, one after the other."""
    return Html("\n".join(pieces))


def jpeg_uri(image: bytes) -> str:
    """A JPEG as a data URI, so that a page needs no other file."""
    return "data:image/jpeg;base64," + base64.b64encode(image).decode("ascii")


def _markup(value: str | Html | Iterable[Html]) -> str:
    if isinstance(value, Html):
        return value
    return html.escape(value) if isinstance(value, str) else joined(value)


@cache
def _template(name: str) -> Template:
    return Template((files("cli.demo") / "templates" / f"{name}.html").read_text(encoding="utf-8"))
