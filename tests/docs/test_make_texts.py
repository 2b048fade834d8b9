"""What ``docs.make_texts`` writes matches the texts, the contract and the server."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2
from google.protobuf.descriptor import EnumDescriptor

from docs.make_texts import documented_values, made_files
from facegate_protocol.texts import REFUSALS, ScanEffect
from server.scan.endings import TAMPERING

_REPOSITORY = Path(__file__).resolve().parents[2]
_ROOMS = ("attempt", "formats", "server", "matcher", "vision")
_OF_ANALYSES = {"code"}
"""In the metadata of every error of AnalysisService."""


def _sources() -> Iterator[str]:
    for room in _ROOMS:
        for path in (_REPOSITORY / room).rglob("*.py"):
            yield path.read_text()


def _refusals() -> Iterator[tuple[str, set[str]]]:
    """Reason and literal keys of the details of every refusal in the server's code."""
    for source in _sources():
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id not in {"Refusal", "AnalysisRefused"} or not isinstance(
                node.args[0], ast.Attribute
            ):
                continue
            details = next((word.value for word in node.keywords if word.arg == "details"), None)
            keys = details.keys if isinstance(details, ast.Dict) else []
            yield node.args[0].attr, {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def test_the_files_are_up_to_date() -> None:
    stale = [path.name for path, content in made_files().items() if path.read_text("utf-8") != content]
    assert stale == [], "run: python -m docs.make_texts"


@pytest.mark.parametrize(
    ("file", "prefix", "enum"),
    [
        ("result.proto", "FAILURE_REASON_", result_pb2.FailureReason.DESCRIPTOR),
        ("result.proto", "OUTCOME_", result_pb2.AttemptSummary.Outcome.DESCRIPTOR),
        ("result.proto", "OUTCOME_", result_pb2.DeviceCheck.Outcome.DESCRIPTOR),
        ("feedback.proto", "FEEDBACK_CODE_", feedback_pb2.FeedbackCode.DESCRIPTOR),
        ("scan.proto", "SCAN_STATUS_", scan_pb2.ScanStatus.DESCRIPTOR),
    ],
)
def test_no_value_is_left_out(file: str, prefix: str, enum: EnumDescriptor) -> None:
    name = enum.full_name.removeprefix("facegate.v1.")
    listed = [prefix + value.name for value in documented_values(file, name, prefix)]
    assert listed == [value.name for value in enum.values if value.number]


def test_an_enumeration_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"result\.proto has no enum Absent"):
        documented_values("result.proto", "Absent", "")


def test_every_key_of_a_refusal_is_documented() -> None:
    found = list(_refusals())
    assert len(found) > 80
    for reason, keys in found:
        assert keys - _OF_ANALYSES <= set(REFUSALS[reason].metadata), reason


def test_every_documented_key_is_in_the_code() -> None:
    words = {word for source in _sources() for word in re.findall(r"\w+", source)}
    for reason, advice in REFUSALS.items():
        for key in advice.metadata:
            snake = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
            assert {key, snake} & words, (reason, key)


def test_the_server_decides_against_a_check_for_the_same_reasons() -> None:
    decided = {reason for reason, advice in REFUSALS.items() if advice.scan is ScanEffect.DECIDED}
    assert decided == {reason.value for reason in TAMPERING}
