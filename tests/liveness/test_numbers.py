"""Numbers that decide have a name: no line, limit or weight is a literal in a comparison."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import liveness

ROOT = Path(liveness.__file__).parent
PLAIN = frozenset({0, 1, 2, 3, 0.5})
"""Mathematics: none, one, a pair, three to have a middle, the middle of a probability."""


def _bare(tree: ast.AST) -> Iterator[tuple[int, float]]:
    """Line and value of the numbers in comparisons, except arguments of calls and indices.

    Validations of settings (``__post_init__``) state their bounds in the message beside them.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__post_init__":
            continue
        if isinstance(node, ast.Compare):
            for operand in (node.left, *node.comparators):
                yield from _numbers(operand)
        yield from _bare(node)


def _numbers(operand: ast.expr) -> Iterator[tuple[int, float]]:
    match operand:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=int() | float() as number) if number not in PLAIN:
            yield operand.lineno, number
        case ast.UnaryOp(operand=inner):
            yield from _numbers(inner)
        case ast.BinOp(left=left, right=right):
            yield from _numbers(left)
            yield from _numbers(right)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a < 0.7", [0.7]),
        ("b >= 12", [12]),
        ("-0.3 <= a <= 0.4 * b", [0.3, 0.4]),
        ("a < 0.5 and b > 0 and f(7) > 2 and c[9] == 1", []),
        ("x = 0.7", []),
    ],
)
def test_bare_numbers_are_found(text: str, found: list[float]) -> None:
    assert [number for _, number in _bare(ast.parse(text))] == found


def test_no_comparison_holds_a_bare_number() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {number}"
        for path in sorted(ROOT.rglob("*.py"))
        for line, number in _bare(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
