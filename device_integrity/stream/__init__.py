"""Tests whether a camera made a stream's frames, from their bytes and luma as they arrive.

One ``StreamTracer`` measures a scan's frames. ``check_stream`` then tests the measurements, and ``memory``
compares them with other scans of the same tenant. Nothing here relies on an honest client.
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
    check_similarity,
    frame_marks,
    key_mark,
    mirrored_bands,
)
from device_integrity.stream.motion import ScanMotion, frame_layout, motions_from_bytes, scan_motion
from device_integrity.stream.tracing import FrameTrace, StreamMeasurements, StreamTracer, picture_hash

__all__ = [
    "FrameMark",
    "FrameTrace",
    "KeyUse",
    "RecalledScan",
    "ScanMemory",
    "ScanMotion",
    "ScanQuery",
    "StreamMeasurements",
    "StreamTracer",
    "check_attestation_key",
    "check_device_subjects",
    "check_frames_before",
    "check_session_key",
    "check_similarity",
    "check_stream",
    "frame_layout",
    "frame_marks",
    "key_mark",
    "mirrored_bands",
    "motions_from_bytes",
    "picture_hash",
    "scan_motion",
]
