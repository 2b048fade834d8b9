import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from facegate.v1 import feedback_pb2, scan_pb2
from rich.console import Console

from cli.verify.scanning import ScanDisplay, open_scan
from facegate_client import SourceError


def _shown(plan: scan_pb2.Plan.ValueType, frames: int, result: scan_pb2.ScanResult) -> list[str]:
    """The lines of one attempt that follow its announcement."""
    stream = io.StringIO()
    display = ScanDisplay(Console(file=stream, width=200), shows_hints=True)
    display.attempt_started(scan_pb2.AttemptStart(attempt=1, plan=plan))
    display.capture_finished(1, frames, 0)
    display.attempt_finished(result)
    return [line.strip() for line in stream.getvalue().splitlines()[1:]]


def test_a_declined_flash_is_no_fault_of_the_conditions() -> None:
    retry = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_RETRY, another_attempt=True)
    assert _shown(scan_pb2.PLAN_FLASH, 0, retry) == ["Continuing without the flash."]


def test_a_repeated_attempt_states_the_reason() -> None:
    retry = scan_pb2.ScanResult(
        status=scan_pb2.SCAN_STATUS_RETRY,
        another_attempt=True,
        feedback=[feedback_pb2.FEEDBACK_CODE_TOO_DARK],
    )
    assert _shown(scan_pb2.PLAN_FLASH, 7, retry) == [
        "7 frames sent. One moment, please.",
        "There is no decision yet.",
        "It is too dark: find more light.",
    ]


def test_an_attempt_that_left_doubt_blames_no_conditions() -> None:
    retry = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_RETRY, another_attempt=True)
    assert _shown(scan_pb2.PLAN_EXPRESS, 60, retry) == [
        "60 frames sent. One moment, please.",
        "There is no decision yet.",
    ]


async def test_folder_and_video_are_distinguished(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    source = open_scan(str(tmp_path))
    assert source.camera.label == "image folder"
    await source.aclose()
    with pytest.raises(SourceError, match="still image"):
        open_scan(str(tmp_path / "a.png"))


@pytest.mark.parametrize("scan", ["camera:99", "camera:x", "camera:-1"])
async def test_camera_that_is_not_there_is_reported(scan: str) -> None:
    with pytest.raises(SourceError, match="camera"):
        open_scan(scan)


def test_without_a_frame_the_camera_is_not_at_fault() -> None:
    retry = scan_pb2.ScanResult(
        status=scan_pb2.SCAN_STATUS_RETRY,
        another_attempt=True,
        feedback=[feedback_pb2.FEEDBACK_CODE_LOW_VIDEO_QUALITY, feedback_pb2.FEEDBACK_CODE_TIMED_OUT],
    )
    assert _shown(scan_pb2.PLAN_EXPRESS, 0, retry)[2:] == [
        "No frame reached the server.",
        "That took too long. Please try again.",
    ]
