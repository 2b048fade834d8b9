"""Fills templates. A value is text, which is escaped, unless it is `Html`; a missing one is an error."""

import base64
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

Html = Markup


def render(template: str, /, **values: object) -> Html:
    """Return a filled template.

    Args:
        template: A file in ``templates``, or in a folder that was added.

    Raises:
        jinja2.UndefinedError: The template names a value that is not given.
    """
    return Html(TEMPLATES.get_template(template).render(values))


def add_templates(folder: Path) -> None:
    """Let ``render`` find the templates of another folder, too, which may extend those beside this module."""
    _LOADER.searchpath.append(str(folder))


def data_uri(content: bytes, *, media_type: str = "image/jpeg") -> str:
    """Return a file as a data URI, so that a page needs no other file."""
    return f"data:{media_type};base64," + base64.b64encode(content).decode("ascii")


def _number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


_LOADER: Final = FileSystemLoader(Path(__file__).with_name("templates"))
TEMPLATES: Final = Environment(
    loader=_LOADER,
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update({"jpeg_uri": data_uri, "number": _number})
