"""No class has more than a dozen collaborators: what it works with, apart from plain values.

A collaborator is an attribute that ``__init__`` sets, or a field of a dataclass that is not frozen. Plain
values do not count: literals and empty collections, with which counters, flags and lists begin, and numbers,
text, bytes and collections of these that are handed in. A frozen dataclass is a value and may have any number
of fields.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent
_ROOMS = (
    "attempt",
    "cli",
    "client",
    "device_integrity",
    "evaluation",
    "liveness",
    "matcher",
    "research",
    "server",
    "simulator",
    "vision",
)
_MOST = 12
_PLAIN_TYPES = frozenset(
    {"bool", "bytes", "float", "int", "str", "None", "dict", "frozenset", "list", "set", "tuple", "deque"}
)
_COLLECTIONS = frozenset({"dict", "list", "set", "deque", "Counter", "defaultdict"})


def _collaborators(kind: ast.ClassDef) -> frozenset[str]:
    for statement in kind.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return frozenset(_assigned(statement))
    if any(_is_mutable_dataclass(each) for each in kind.decorator_list):
        return frozenset(
            each.target.id
            for each in kind.body
            if isinstance(each, ast.AnnAssign)
            and isinstance(each.target, ast.Name)
            and not _is_plain_type(each.annotation)
        )
    return frozenset()


def _is_mutable_dataclass(decorator: ast.expr) -> bool:
    text = ast.unparse(decorator)
    return text.startswith("dataclass") and "frozen=True" not in text


def _assigned(init: ast.FunctionDef) -> Iterator[str]:
    """The attributes that are not plain values."""
    arguments = (*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs)
    plain = {one.arg for one in arguments if one.annotation is not None and _is_plain_type(one.annotation)}
    for node in ast.walk(init):
        targets = node.targets if isinstance(node, ast.Assign) else ()
        if isinstance(node, ast.AnnAssign) and not _is_plain_type(node.annotation):
            targets = [node.target]
        for target in targets:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            pairs = (
                zip(target.elts, value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                else ((one, value) for one in (target.elts if isinstance(target, ast.Tuple) else (target,)))
            )
            yield from (
                one.attr
                for one, given in pairs
                if isinstance(one, ast.Attribute)
                and ast.unparse(one.value) == "self"
                and not _is_plain(given, plain)
            )


def _is_plain(value: ast.expr | None, plain: set[str]) -> bool:
    match value:
        case None | ast.Constant():
            return True
        case ast.Name(id=name):
            return name in plain
        case ast.UnaryOp(operand=inner):
            return _is_plain(inner, plain)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return all(_is_plain(part, plain) for part in parts)
        case ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id=name), args=[]):
            return name in _COLLECTIONS
    return False


def _is_plain_type(annotation: ast.expr) -> bool:
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return bool(names) and names <= _PLAIN_TYPES


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("def __init__(self, pool): self.pool = pool", {"pool"}),
        ("def __init__(self, pool: Pool, size: int): self.pool, self.size = pool, size", {"pool"}),
        ("def __init__(self):\n  self.a = self.b = 0\n  self.c: int | None = None\n  self.d = []", set()),
        ("def __init__(self):\n  self.a: set[int] = set()\n  self.b = Selector(2)\n  other.c = x", {"b"}),
    ],
)
def test_collaborators_are_counted(body: str, found: set[str]) -> None:
    (kind,) = ast.parse("class A:\n" + "\n".join(f"  {line}" for line in body.splitlines())).body
    assert isinstance(kind, ast.ClassDef)
    assert _collaborators(kind) == found


def test_fields_of_a_dataclass_are_counted_unless_it_is_frozen() -> None:
    fields = "  pool: Pool\n  times: list[float]\n  clock: Clock"
    for decorator, found in (("dataclass", {"pool", "clock"}), ("dataclass(frozen=True)", set())):
        (kind,) = ast.parse(f"@{decorator}\nclass A:\n{fields}").body
        assert isinstance(kind, ast.ClassDef)
        assert _collaborators(kind) == found


def test_no_class_has_more_than_a_dozen_collaborators() -> None:
    many = {
        f"{path.relative_to(_REPOSITORY)}: {node.name}": sorted(found)
        for room in _ROOMS
        for path in sorted((_REPOSITORY / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and len(found := _collaborators(node)) > _MOST
    }
    assert many == {}
