"""Every feedback code is sent, or the contract states that it is not."""

import ast
import re
from pathlib import Path

from facegate.v1 import feedback_pb2

import attempt
import server.scan
from attempt.judgement import _ADVICE
from attempt.placement import FEEDBACK_CODES, WRONG_ROTATION
from liveness import Gesture
from liveness.dynamic.challenge.actions import HintCode
from server.edge.scan_codec import feedback_code

_REPOSITORY = Path(__file__).resolve().parents[3]
_PREFIX = "FEEDBACK_CODE_"
_ENTRY = re.compile(r"((?:^ +//.*\n)+)^ +FEEDBACK_CODE_(\w+) = \d+;", re.MULTILINE)


def _codes() -> set[str]:
    return {value.name.removeprefix(_PREFIX) for value in feedback_pb2.FeedbackCode.DESCRIPTOR.values}


def _said_not_to_be_sent() -> set[str]:
    """Returns the codes whose comment in the contract states that they are not sent."""
    source = (_REPOSITORY / "protos/facegate/v1/feedback.proto").read_text(encoding="utf-8")
    comments = {
        name: " ".join(re.sub(r"^ +//", "", text, flags=re.MULTILINE).split())
        for text, name in _ENTRY.findall(source)
    }
    assert set(comments) == _codes()
    return {name for name, text in comments.items() if "ot sent yet" in text or "never send" in text}


def _named_in_code() -> set[str]:
    """Returns the codes that the modules of attempts and scans name, in a table or alone."""
    found = set()
    folders = (Path(folder) for package in (attempt, server.scan) for folder in package.__path__)
    for module in (module for folder in folders for module in folder.glob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return (found | {str(code) for code in (*HintCode, *Gesture)}) & _codes()


def test_every_code_is_sent_or_listed_as_never_sent() -> None:
    assert _named_in_code() == _codes() - _said_not_to_be_sent()


def test_the_tables_name_no_code_listed_as_never_sent() -> None:
    tables = {*FEEDBACK_CODES.values(), *_ADVICE.values(), *(str(code) for code in HintCode), WRONG_ROTATION}
    assert tables <= _codes()
    assert not tables & _said_not_to_be_sent()
    for code in tables:
        assert feedback_pb2.FeedbackCode.Name(feedback_code(code)) == _PREFIX + code


def test_the_device_protocol_lists_the_same() -> None:
    page = (_REPOSITORY / "docs/device_protocol.md").read_text(encoding="utf-8")
    (listed,) = re.findall(
        r"^Not sent yet by servers of this version: (.*?)\. Include", page, re.DOTALL | re.MULTILINE
    )
    assert set(re.findall(r"`(\w+)`", listed)) == _said_not_to_be_sent() - {"UNSPECIFIED"}
    table = page[page.index("## Feedback codes") : page.index("Not sent yet by servers")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == _codes() - {"UNSPECIFIED"}
