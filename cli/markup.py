"""HTML that is safe by type: whatever is not `Html` is text, and is escaped."""

import base64
import html
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template

__all__ = ["Html", "Templates", "data_uri", "joined"]


class Html(str):
    """Markup that is ready for a page."""

    __slots__ = ()


class Templates:
    """The folder ``templates`` of a package."""

    def __init__(self, package: str) -> None:
        """Reads nothing yet.

        Args:
            package: Name of the package that has the folder.
        """
        self._package = package

    def fill(self, template: str, **values: str | Html | Iterable[Html]) -> Html:
        """Fills a template.

        Args:
            template: The file's name without ``.html``.
            values: What stands for each ``$name``: text is escaped, `Html` is taken as it is, several
                pieces of it are put one after the other.

        Raises:
            KeyError: A name of the template has no value.
        """
        text = _template(self._package, f"{template}.html")
        return Html(text.substitute({name: _markup(value) for name, value in values.items()}))

    def style(self, name: str) -> Html:
        """A style sheet of the folder, ready to stand in a page.

        Args:
            name: The file's name without ``.css``.
        """
        return Html(_read(self._package, f"{name}.css"))


def joined(pieces: Iterable[Html]) -> Html:
    """Pieces of markup, one after the other."""
    return Html("\n".join(pieces))


def data_uri(content: bytes, *, media_type: str) -> str:
    """A file as a data URI, so that a page needs no other file."""
    return f"data:{media_type};base64," + base64.b64encode(content).decode("ascii")


def _markup(value: str | Html | Iterable[Html]) -> str:
    if isinstance(value, Html):
        return value
    return html.escape(value) if isinstance(value, str) else joined(value)


@cache
def _template(package: str, name: str) -> Template:
    return Template(_read(package, name))


def _read(package: str, name: str) -> str:
    return (files(package) / "templates" / name).read_text(encoding="utf-8")
