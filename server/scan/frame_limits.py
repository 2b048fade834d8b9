"""Tests every received frame: against the scan's budget, and against the flash steps that were revealed."""

from server.errors import Reason, Refusal
from server.scan.messages import CaptureBudget, FrameMessage

__all__ = ["require_within_budget", "validate_claim"]


def require_within_budget(
    frame: FrameMessage, *, before: int, bytes_before: int, budget: CaptureBudget
) -> None:
    """Refuses a frame that is too large or exceeds the number of frames or bytes.

    Args:
        frame: The frame.
        before: The number of frames that the attempt already has.
        bytes_before: The bytes of images that the scan already has.
        budget: The limits.

    Raises:
        Refusal: The frame is too large (FRAME_TOO_LARGE), or exceeds the attempt's frames or the scan's bytes
            (SCAN_BUDGET_EXCEEDED).
    """
    size = len(frame.image)
    if size > budget.max_frame_bytes:
        raise Refusal(
            Reason.FRAME_TOO_LARGE,
            f"frame {frame.index} has {size} bytes; at most {budget.max_frame_bytes} are allowed",
            details={"frameIndex": frame.index, "frameBytes": size, "maxFrameBytes": budget.max_frame_bytes},
        )
    if before >= budget.max_frames_per_attempt:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"the attempt has its {budget.max_frames_per_attempt} frames already",
            details={"maxFramesPerAttempt": budget.max_frames_per_attempt},
        )
    total = bytes_before + size
    if total > budget.max_scan_bytes:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"the scan has {total} bytes of frames; at most {budget.max_scan_bytes} are allowed",
            details={"scanBytes": total, "maxScanBytes": budget.max_scan_bytes},
        )


def validate_claim(frame: FrameMessage, *, revealed: int) -> None:
    """Refuses a frame that claims a flash step which was not revealed; applies to skipped frames, too.

    Args:
        frame: The frame.
        revealed: The last step that was revealed in this stream; 0 for none.

    Raises:
        Refusal: The frame claims a later step (INVALID_FIELD).
    """
    if frame.flash_step > revealed:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"frame {frame.index} claims to show flash step {frame.flash_step}, and the last step "
            f"revealed in this stream is {revealed}",
            details={"field": "frame.header.flash_step", "frameIndex": frame.index},
        )
