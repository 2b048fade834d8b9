"""``docs/architecture.md`` names existing functions, and draws a frame's path as the code calls them."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType

import pytest

_PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
_ROOMS = ("attempt", "device_integrity", "formats", "liveness", "matcher", "server", "vision")
_NAME = re.compile(rf"(?<![\w.])(?:{'|'.join(_ROOMS)})(?:\.\w+)+")
_TEXT = _PAGE.read_text(encoding="utf-8")
_NAMED = sorted(set(_NAME.findall(_TEXT)))

_RUNS_WHAT_IT_IS_GIVEN = "server.base.worker_pool.WorkerPool.run_later"


@pytest.mark.parametrize("name", _NAMED)
def test_every_name_on_the_page_exists(name: str) -> None:
    assert resolve_name(name)


def test_the_page_names_the_functions_on_the_path_of_a_frame() -> None:
    assert len(_NAMED) > 30


def _drawn() -> Iterator[tuple[str, list[str]]]:
    """Each function in the drawing with the functions that are drawn directly below it, in order."""
    section = _TEXT.split("## The path of a frame", 1)[1].split("```")[1]
    lines = [
        (len(line) - len(line.lstrip()), found.group())
        for line in section.splitlines()
        if (found := _NAME.match(line.lstrip())) is not None
    ]
    for at, (depth, name) in enumerate(lines):
        below: list[tuple[int, str]] = []
        for line in lines[at + 1 :]:
            if line[0] <= depth:
                break
            below.append(line)
        if below:
            yield name, [child for indent, child in below if indent == below[0][0]]


_DRAWN = [(name, below) for name, below in _drawn() if isinstance(resolve_name(name), FunctionType)]


def _used(function: FunctionType, holder: type | None, *, within: tuple[str, ...] = ()) -> Iterator[str]:
    """The names that a function uses, in order; private methods of its class and functions are inlined."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    for name in _in_order(tree.body):
        if name.startswith("_") and name not in within:
            private = getattr(holder, name, function.__globals__.get(name))
            if isinstance(private, FunctionType):
                yield from _used(private, holder, within=(*within, name))
        yield name


def _in_order(body: Sequence[ast.stmt]) -> list[str]:
    """Attributes and names in the order of their use: a called function comes after its arguments."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
    found = [node for node in nodes if isinstance(node, ast.Attribute | ast.Name)]

    def end(node: ast.expr) -> tuple[int, int]:
        whole = calls.get(id(node), node)
        return whole.end_lineno or 0, whole.end_col_offset or 0

    return [node.attr if isinstance(node, ast.Attribute) else node.id for node in sorted(found, key=end)]


def test_the_drawing_has_the_functions_whose_calls_are_compared() -> None:
    assert {name for name, _ in _DRAWN} >= {
        "attempt.capture.AttemptCapture.capture_frame",
        "attempt.analyst.FrameAnalyst.measure_frame",
        "server.scan.capture_work.CaptureWork.measure_frame",
        "attempt.judgement.judge_attempt",
    }


@pytest.mark.parametrize(("name", "below"), [one for one in _DRAWN if one[0] != _RUNS_WHAT_IT_IS_GIVEN])
def test_a_function_calls_what_is_drawn_below_it_in_this_order(name: str, below: list[str]) -> None:
    holder = resolve_name(name.rpartition(".")[0])
    used = list(_used(resolve_name(name), holder if isinstance(holder, type) else None))
    at = 0
    for child in below:
        called = child.rpartition(".")[2]
        assert called in used[at:], f"{name} does not call {child}, or calls it before {used[at - 1]}"
        at += used[at:].index(called) + 1


def test_every_part_that_takes_a_measured_frame_is_drawn() -> None:
    take = "attempt.capture.AttemptCapture.capture_frame"
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(resolve_name(take)))).body
    given = [
        call.func.attr
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and any(
            isinstance(node, ast.Name) and node.id == "seen"
            for argument in (*call.args, *call.keywords)
            for node in ast.walk(argument)
        )
    ]
    drawn = [child.rpartition(".")[2] for child in dict(_DRAWN)[take]]
    assert drawn == ["next", "measure_frame", *given]
