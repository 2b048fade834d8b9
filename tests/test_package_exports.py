"""Outside a room, code imports from the room's packages, and only names that they export."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent
_ROOMS = ("attempt", "matcher", "liveness", "device_integrity", "lab.evaluation", "vision.packs")
"""``vision`` itself exports nothing (its docstring says why), so its modules are imported one by one."""

_IMPORTERS = (*(room for room in _ROOMS if room != "vision.packs"), "cli", "server", "lab.simulator")

_CONTRACT = next(
    contract
    for contract in tomllib.loads((_REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    if contract["name"].startswith("a judgement is reached through attempt")
)
_FOR_ATTEMPT_ONLY = frozenset(_CONTRACT["forbidden_modules"])
"""A package that exported the names of these modules would hide an import of them."""
_EXCEPTIONS = frozenset(_CONTRACT["ignore_imports"])

_MENTIONS_A_ROOM = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(map(re.escape, _ROOMS))})\b", re.MULTILINE)
"""Spares parsing most files."""


@cache
def _exports(package: str) -> frozenset[str] | None:
    """The names in a package's ``__all__``; ``None`` for a module."""
    path = _REPOSITORY.joinpath(*package.split("."), "__init__.py")
    if not path.exists():
        return None
    for statement in ast.parse(path.read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return frozenset(ast.literal_eval(value))
    return frozenset()


def _imports(package: str) -> Iterator[tuple[Path, str, str]]:
    """Each (file, module, name) that the package's files with an import of a room import."""
    for path in sorted(_REPOSITORY.joinpath(*package.split(".")).rglob("*.py")):
        text = path.read_text()
        if not _MENTIONS_A_ROOM.search(text):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                yield from ((path, node.module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((path, alias.name, "") for alias in node.names)


def _of_other_room(module: str, package: str) -> bool:
    return any(f"{module}.".startswith(f"{room}.") for room in _ROOMS if room != package)


def _exporter(module: str, name: str) -> str | None:
    """The package at or above a module that exports a name."""
    while module:
        if name in (_exports(module) or ()):
            return module
        module = module.rpartition(".")[0]
    return None


def _allowed(path: Path, module: str, name: str, package: str) -> bool:
    if package == "attempt" and module in _FOR_ATTEMPT_ONLY:
        return True
    importer = ".".join(path.relative_to(_REPOSITORY).with_suffix("").parts)
    return f"{importer} -> {module}" in _EXCEPTIONS or name in (_exports(module) or ())


@pytest.mark.parametrize("package", _IMPORTERS)
def test_nothing_outside_a_room_imports_below_its_packages(package: str) -> None:
    deep = [
        f"{path.relative_to(_REPOSITORY)}: {name} of {module}"
        for path, module, name in _imports(package)
        if _of_other_room(module, package) and not _allowed(path, module, name, package)
    ]
    assert deep == []


def test_studies_import_exported_names_from_the_package() -> None:
    """They fit a room's own constants, so they may import a name that no package exports from its module."""
    deep = [
        f"{path.relative_to(_REPOSITORY)}: {name} of {module}, which {_exporter(module, name)} exports"
        for path, module, name in _imports("lab.studies")
        if _of_other_room(module, "lab.studies")
        and _exports(module) is None
        and _exporter(module, name) is not None
    ]
    assert deep == []


def test_no_package_exports_a_judge() -> None:
    """Else ``from liveness import judge_scan`` would pass the contract."""
    judges = {"judge_scan", "judge_express", "judge_flash", "judge_movement", "combine_flash", "fuse"}
    packages = [
        ".".join(path.relative_to(_REPOSITORY).parent.parts)
        for path in (_REPOSITORY / "liveness").rglob("__init__.py")
    ]
    assert len(packages) >= 6
    assert {package: judges & (_exports(package) or frozenset()) for package in packages} == {
        package: frozenset() for package in packages
    }
