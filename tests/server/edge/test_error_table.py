"""docs/errors.md matches the contract and the server."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from facegate_client.wire_errors import RETRY_REASONS
from server.errors import Reason
from server.scan.endings import TAMPERING
from tests.server.edge.error_advice import ADVICE, METADATA, Scan
from tests.server.edge.make_error_table import (
    PROTOCOL,
    TABLE,
    documented_reasons,
    error_table,
    with_device_errors,
)

_REPOSITORY = Path(__file__).resolve().parents[3]
_ROOMS = ("attempt", "server", "matcher", "vision")
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


def test_the_pages_are_up_to_date() -> None:
    assert TABLE.read_text() == error_table(), "run: python -m tests.server.edge.make_error_table"
    protocol = PROTOCOL.read_text()
    assert protocol == with_device_errors(protocol), "run: python -m tests.server.edge.make_error_table"


def test_every_reason_has_advice() -> None:
    reasons = [entry.reason for entry in documented_reasons()]
    assert list(ADVICE) == reasons
    assert set(reasons) == {reason.value for reason in Reason}


def test_every_key_of_a_refusal_is_documented() -> None:
    found = list(_refusals())
    assert len(found) > 80
    for reason, keys in found:
        assert keys - _OF_ANALYSES <= set(METADATA.get(reason, ())), reason


def test_every_documented_key_is_in_the_code() -> None:
    words = {word for source in _sources() for word in re.findall(r"\w+", source)}
    for reason, keys in METADATA.items():
        for key in keys:
            snake = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
            assert {key, snake} & words, (reason, key)


def test_the_error_table_matches_server_and_client() -> None:
    scans = {scan: {reason for reason, one in ADVICE.items() if one.scan is scan} for scan in Scan}
    assert scans[Scan.DECIDED] == {reason.value for reason in TAMPERING}
    assert scans[Scan.RECONNECT] == RETRY_REASONS
