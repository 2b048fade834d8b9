"""Tests whether one encoder, that of a camera app, wrote all frames."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from device_integrity.check import DeviceCheck, passed_test
from device_integrity.stream.findings import suspect, unavailable
from device_integrity.stream.tracing import FrameTrace

__all__ = ["check_encoder"]

_VIDEO_TOOLS: Final = ("lavc", "ffmpeg", "libav", "x264", "handbrake", "gstreamer", "obs")
_EDITORS: Final = ("gimp", "photoshop", "gd-jpeg", "imagemagick", "adobe")


def check_encoder(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """Returns ``stream.encoder``: whether one encoder, and no video tool, wrote all JPEG headers."""
    name = "stream.encoder"
    facts = [frame.facts for frame in frames if frame.facts is not None]
    if not facts or len(facts) < len(frames):
        return unavailable(name, "HEADER_UNREADABLE", "The JPEG header of a frame could not be read.")
    words = {comment.casefold() for each in facts for comment in each.comments}
    for kind, tools in (("VIDEO_TOOL", _VIDEO_TOOLS), ("EDITOR", _EDITORS)):
        tool = next((tool for tool in tools if any(tool in word for word in words)), None)
        if tool is not None:
            return suspect(
                name, kind, f'The frames state that "{tool}" wrote them, which is not a camera app.'
            )
    changes = sum(last.structure != now.structure for last, now in pairwise(facts))
    if changes:
        return suspect(
            name,
            "ENCODER_CHANGED",
            f"The encoder of the frames' JPEG headers changes {changes} time(s).",
        )
    return passed_test(name, "ONE_ENCODER", "One encoder wrote the JPEG headers of all frames.")
