"""docs/reasons.md matches the contract."""

import pytest
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2
from google.protobuf.descriptor import EnumDescriptor

from tests.server.edge.make_reasons_page import (
    ACTIONS,
    PAGE,
    documented_values,
    failure_reasons,
    reasons_page,
)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reasons_page(), "run: python -m tests.server.edge.make_reasons_page"


def test_every_failure_reason_has_advice() -> None:
    assert [reason.name for reason in failure_reasons()] == list(ACTIONS)


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
