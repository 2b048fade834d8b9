import io

from facegate.v1 import feedback_pb2, scan_pb2
from rich.console import Console

from cli.verify.scanning import ScanDisplay


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
        "The conditions did not allow a decision.",
        "It is too dark: find more light.",
    ]


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
