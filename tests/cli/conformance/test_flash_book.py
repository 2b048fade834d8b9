"""Which steps of a flash a device may leave unnamed."""

import dataclasses
from typing import Any

import pytest
from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration

from cli.conformance.rules import Rule, Violation
from cli.conformance.strict_stream import FlashBook
from server.scan.messages import FrameMessage

_FIELDS: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(FrameMessage)}


def _frame(at_ms: int, step: int, since_ms: int) -> FrameMessage:
    values = {"capture_time_us": at_ms * 1000, "flash_step": step, "flash_step_since_us": since_ms * 1000}
    return FrameMessage(**{**_FIELDS, **values})


def _shown(*frames: FrameMessage) -> FlashBook:
    book = FlashBook(flashing=True)
    for number in (1, 2, 3):
        book.reveal(scan_pb2.FlashStep(step=number, minimum_hold=Duration(nanos=400_000_000)), at=0.0)
    for frame in frames:
        book.accept(frame, captured=frame.capture_time_us / 1e6)
    return book


def test_a_step_during_which_nothing_was_captured_needs_no_frame() -> None:
    book = _shown(_frame(200, 1, 100), _frame(950, 3, 910))
    assert set(book.since_us) == {1, 3}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([_frame(600, 1, 100), _frame(960, 3, 940)], id="no time for the second"),
        pytest.param([_frame(105, 1, 100), _frame(810, 3, 800)], id="no time for both"),
        pytest.param([_frame(900, 2, 860), _frame(1400, 1, 1350)], id="backwards"),
    ],
)
def test_a_step_that_could_not_have_been_shown_is_missing(frames: list[FrameMessage]) -> None:
    with pytest.raises(Violation) as caught:
        _shown(*frames)
    assert caught.value.rule is Rule.FLASH_HOLD
