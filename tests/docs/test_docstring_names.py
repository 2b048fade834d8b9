"""Every dotted name of the project's own code that a docstring or a comment mentions exists."""

import re

from tests.docs.pages import REPOSITORY

_ROOTS = {
    **{
        room: REPOSITORY / room
        for room in (
            "attempt",
            "cli",
            "device_integrity",
            "evaluation",
            "formats",
            "liveness",
            "matcher",
            "research",
            "server",
            "simulator",
            "vision",
        )
    },
    "facegate_client": REPOSITORY / "client" / "facegate_client",
    "facegate_protocol": REPOSITORY / "protos" / "facegate_protocol",
}
_NAME = re.compile(rf"`((?:{'|'.join(_ROOTS)})(?:\.\w+)+)`")
_SETTINGS = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")


def _exists(name: str) -> bool:
    """Returns whether a dotted name is that of a module, or of something in its module."""
    room, *parts = name.split(".")
    place = _ROOTS[room]
    while parts and ((place / parts[0]).is_dir() or (place / f"{parts[0]}.py").is_file()):
        place = place / parts.pop(0)
    module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    code = module.read_text(encoding="utf-8")
    return not parts or re.search(rf"\b{parts[0]}\b", code) is not None


def test_the_dotted_names_in_the_code_exist() -> None:
    missing = [
        f"{file.relative_to(REPOSITORY)}: {name}"
        for root in _ROOTS.values()
        for file in sorted(root.rglob("*.py"))
        for name in _NAME.findall(file.read_text(encoding="utf-8"))
        if not _exists(name) and f"[{name.rpartition('.')[0]}]" not in _SETTINGS
    ]
    assert missing == []
