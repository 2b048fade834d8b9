"""What the frames themselves tell of where they came from, measured on bytes and luma as they arrive.

A scan's frames go through one ``StreamTracer``; ``check_stream`` then says what its measurements mean, and
``memory`` what other scans of the same customer add. Nothing here needs an honest client.
"""

from device_integrity.stream.checks import check_stream
from device_integrity.stream.memory import (
    FrameMark,
    KeyUse,
    RecalledScan,
    ScanMemory,
    ScanQuery,
    check_attestation_key,
    check_device_subjects,
    check_frames_before,
    check_session_key,
    frame_marks,
    key_mark,
)
from device_integrity.stream.tracing import FrameTrace, StreamMeasurements, StreamTracer

__all__ = [
    "FrameMark",
    "FrameTrace",
    "KeyUse",
    "RecalledScan",
    "ScanMemory",
    "ScanQuery",
    "StreamMeasurements",
    "StreamTracer",
    "check_attestation_key",
    "check_device_subjects",
    "check_frames_before",
    "check_session_key",
    "check_stream",
    "frame_marks",
    "key_mark",
]
