"""What every frame is held to before it is looked at: the scan's budget, and the steps that were revealed."""

from server.errors import Reason, Refusal
from server.scan.messages import CaptureBudget, FrameMessage

__all__ = ["check_budget", "check_claim"]


def check_budget(frame: FrameMessage, *, before: int, bytes_before: int, budget: CaptureBudget) -> None:
    """Refuse a frame that is too large, or one too many.

    Args:
        frame: The frame.
        before: Frames that the attempt has.
        bytes_before: Bytes of images that the scan has.
        budget: The limits.

    Raises:
        Refusal: It is too large (FRAME_TOO_LARGE), or exceeds the attempt's frames or the scan's bytes
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


def check_claim(frame: FrameMessage, *, revealed: int) -> None:
    """Refuse a frame that names a step which was not revealed, also where frames are not looked at.

    Args:
        frame: The frame.
        revealed: The last step that was revealed in this stream; 0 for none.

    Raises:
        Refusal: It names a later one (INVALID_FIELD).
    """
    if frame.flash_step > revealed:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"frame {frame.index} claims to show flash step {frame.flash_step}, and the last that was "
            f"revealed in this stream is {revealed}",
            details={"field": "frame.header.flash_step", "frameIndex": frame.index},
        )
