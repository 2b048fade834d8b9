"""Numbers that decide have a name and an explanation; no line, limit or weight is bare in a comparison."""

import ast
from collections.abc import Iterator
from pathlib import Path

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


def test_a_bare_number_is_found() -> None:
    assert list(_bare(ast.parse("def far(x):\n    return x > 2 * -0.7"))) == [(2, 0.7)]


def test_no_comparison_holds_a_bare_number() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {number}"
        for path in sorted(ROOT.rglob("*.py"))
        for line, number in _bare(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def _unexplained(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of the module's constants with a number that no docstring or comment explains.

    One docstring after constants without an empty line between them, or a comment above, explains them all.
    """
    lines, body = text.splitlines(), ast.parse(text).body
    block: list[ast.Assign | ast.AnnAssign] = []
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        if block and statement.lineno != (block[-1].end_lineno or 0) + 1:
            block = []
        block.append(statement)
        if isinstance(following, ast.Assign | ast.AnnAssign) and following.lineno == (
            (statement.end_lineno or 0) + 1
        ):
            continue
        match following:
            case ast.Expr(value=ast.Constant(value=str())):
                continue
        if not lines[block[0].lineno - 2].startswith("#"):
            yield from ((one.lineno, name) for one in block if (name := _numeric(one, lines)))


def _numeric(statement: ast.Assign | ast.AnnAssign, lines: list[str]) -> str | None:
    """The name of a constant whose value holds a number, unless a comment stands beside it."""
    if statement.value is None or any(
        "#" in line for line in lines[statement.lineno - 1 : statement.end_lineno]
    ):
        return None
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    name = next((node.id for node in ast.walk(target) if isinstance(node, ast.Name)), "")
    numbers = [
        node
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ]
    return name if name.isupper() and numbers else None


def test_an_unexplained_number_is_found() -> None:
    text = 'KNOWN = 4\n"""Why."""\nHIDDEN = (1, 0.7)\n'
    assert list(_unexplained(text)) == [(3, "HIDDEN")]


def test_every_number_of_a_module_is_explained() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted(ROOT.rglob("*.py"))
        for line, name in _unexplained(path.read_text(encoding="utf-8"))
    ]
    assert found == []
