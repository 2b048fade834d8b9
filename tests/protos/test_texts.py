"""Every code of the contract has its texts, and no text is without a code."""

import json
from importlib.resources import files
from typing import Any

import pytest
from facegate.v1 import error_reason_pb2, feedback_pb2, result_pb2
from google.protobuf.descriptor import EnumDescriptor

from facegate_client.errors import RETRY_REASONS
from facegate_protocol.errors import TextsUnusable
from facegate_protocol.texts import FAILURES, HINTS, REFUSALS, read_texts

_FILE = files("facegate_protocol").joinpath("texts.json").read_text(encoding="utf-8")
_MOST_OF_A_HINT = 200
"""The longest ``Feedback.message``, characters; feedback.proto states it."""


def _names(enum: EnumDescriptor, prefix: str) -> set[str]:
    return {value.name.removeprefix(prefix) for value in enum.values}


def test_every_hint_has_a_text() -> None:
    assert set(HINTS) == _names(feedback_pb2.FeedbackCode.DESCRIPTOR, "FEEDBACK_CODE_")
    assert all(len(text) <= _MOST_OF_A_HINT for text in HINTS.values())


def test_every_refusal_has_advice() -> None:
    assert set(REFUSALS) == _names(error_reason_pb2.ErrorReason.DESCRIPTOR, "ERROR_REASON_") - {"UNSPECIFIED"}


def test_every_failure_has_a_meaning_and_advice() -> None:
    names = _names(result_pb2.FailureReason.DESCRIPTOR, "FAILURE_REASON_")
    assert set(FAILURES) == names - {"UNSPECIFIED"}
    assert all(advice.means.endswith(".") for advice in FAILURES.values())


def test_devices_reconnect_after_what_passes() -> None:
    assert sorted(RETRY_REASONS) == ["NOT_SERVING", "OVERLOADED", "STREAM_IDLE"]


def test_the_file_names_nothing_twice() -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(pairs) == len(dict(pairs)), pairs
        return dict(pairs)

    json.loads(_FILE, object_pairs_hook=once)


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('"Move closer."', "7"),
        ('"Move closer."', '""'),
        ('"Move closer."', json.dumps("x" * 301)),
        ('"scan": "over"', '"scan": "under"'),
        ('"seen_by"', '"seen_bye"'),
        ('"means"', '"meant"'),
        ('"hints": {', '"hints": [], "more": {'),
        ("{", "["),
    ],
)
def test_another_file_is_refused(found: str, instead: str) -> None:
    assert found in _FILE
    with pytest.raises(TextsUnusable):
        read_texts(_FILE.replace(found, instead, 1))
