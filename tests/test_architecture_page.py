"""``docs/architecture.md`` names existing functions."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

_PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
_ROOMS = ("attempt", "device_integrity", "formats", "liveness", "matcher", "server", "vision")
_NAME = re.compile(rf"(?<![\w.])(?:{'|'.join(_ROOMS)})(?:\.\w+)+")
_TEXT = _PAGE.read_text(encoding="utf-8")
_NAMED = sorted(set(_NAME.findall(_TEXT)))


@pytest.mark.parametrize("name", _NAMED)
def test_every_name_on_the_page_exists(name: str) -> None:
    assert resolve_name(name)


def test_the_page_names_the_functions_on_the_path_of_a_frame() -> None:
    assert len(_NAMED) > 30
