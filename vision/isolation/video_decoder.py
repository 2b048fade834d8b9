"""Decodes video to sampled frames, in the worker: FFmpeg's demuxers and decoders through PyAV.

It reads the file twice. The first pass reads the packets' times, which is cheap and does not trust the
header. The second pass decodes, and keeps only the frames nearest to evenly spaced times.
"""

import io
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import av.subtitles.stream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.isolation.protocol import Message, MessageKind, Unable

__all__ = ["DEMUXERS", "decode_video"]

DEMUXERS: Final = ("mov", "avi", "matroska")
"""FFmpeg's demuxers by the number in a job. No other is used, so no playlist and no device is opened."""
_CODECS: Final = "h264,hevc,vp8,libvpx,vp9,libvpx-vp9,av1,libdav1d,mpeg4,mjpeg"
_QUARTER: Final = 90
_WHOLE: Final = 360
_MICRO: Final = 1_000_000
_MOSTLY: Final = 0.9
_PADDED: Final = 2
_PADDING: Final = 1 << 16
_USUAL_RATE: Final = Fraction(30)
"""Frames per second, if the file states none."""

# Its messages quote the file, and they have no reader here.
av.logging.set_level(None)


class _NoResult(Exception):
    """Carries the answer of a job that has no result."""

    def __init__(self, reason: Unable, measured: int = 0) -> None:
        super().__init__(reason.name)
        self.answer = Message(MessageKind.UNABLE, (reason, measured))


@dataclass(frozen=True, slots=True)
class _Timeline:
    """The times of the packets.

    Attributes:
        times: One for each packet, microseconds, ascending.
        counted: Whether the packets have no times, and these are computed from the frame rate.
        whole: False if the file ends before its declared end.
    """

    times: list[int]
    counted: bool
    whole: bool

    def of(self, frame: VideoFrame, index: int) -> int:
        """Returns the time at which a frame is shown, microseconds within the timeline."""
        time = self.times[min(index, len(self.times) - 1)]
        if not self.counted and frame.pts is not None and frame.time_base is not None:
            time = int(frame.pts * frame.time_base * _MICRO)
        return min(max(time, self.times[0]), self.times[-1])


def decode_video(numbers: tuple[int, ...], data: bytes) -> Iterator[Message]:
    """Decodes one video.

    Args:
        numbers: Demuxer, most frames, most pixels of a frame, most pixels together, most microseconds, most
            packets.
        data: The file.

    Raises:
        MemoryError: Decoding exceeds the worker's memory.
    """
    demuxer, most_frames, most_pixels, most_together, most_us, most_packets = numbers
    try:
        timeline = _timeline(demuxer, data, most_packets=most_packets)
        length = timeline.times[-1] - timeline.times[0]
        if length > most_us:
            raise _NoResult(Unable.TOO_LONG)
        yield from _frames(
            demuxer,
            data,
            timeline,
            most_frames=most_frames,
            most_pixels=most_pixels,
            most_together=most_together,
        )
    except _NoResult as result:
        yield result.answer
    except (av.FFmpegError, ValueError, OverflowError):
        yield Message(MessageKind.UNABLE, (Unable.DOES_NOT_DECODE,))


def _open(demuxer: int, data: bytes) -> InputContainer:
    return av.open(
        io.BytesIO(data),
        mode="r",
        format=DEMUXERS[demuxer],
        options={"codec_whitelist": _CODECS, "threads": "1"},
    )


def _stream(container: InputContainer) -> VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise _NoResult(Unable.NO_VIDEO_STREAM)
    # A stream without a decoder has None as its codec context.
    if getattr(stream.codec_context, "name", None) not in _CODECS.split(","):
        raise _NoResult(Unable.CODEC_NOT_SUPPORTED)
    return stream


def _timeline(demuxer: int, data: bytes, *, most_packets: int) -> _Timeline:
    times: list[int] = []
    count, whole = 0, True
    with _open(demuxer, data) as container:
        stream = _stream(container)
        rate = _rate(stream)
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                count += 1
                if count > most_packets:
                    raise _NoResult(Unable.TOO_LONG)
                whole = whole and not packet.is_corrupt
                time = packet.pts if packet.pts is not None else packet.dts
                if time is not None and packet.time_base is not None:
                    times.append(int(time * packet.time_base * _MICRO))
        except av.FFmpegError:
            whole = False
        declared = _declared_length(container, stream)
    if not count:
        raise _NoResult(Unable.DOES_NOT_DECODE)
    counted = len(times) != count
    times = [int(index * _MICRO / rate) for index in range(count)] if counted else sorted(times)
    # A file that is cut off at the end of a packet is only too short; nothing else in it is wrong.
    whole = whole and times[-1] - times[0] + _MICRO >= _MOSTLY * declared
    return _Timeline(times, counted=counted, whole=whole)


def _rate(stream: VideoStream) -> Fraction:
    rate: Fraction | None = stream.average_rate
    return rate or _USUAL_RATE


def _declared_length(container: InputContainer, stream: VideoStream) -> int:
    """Returns the declared length, microseconds; 0 if the file states none."""
    if stream.duration and stream.time_base:
        return int(stream.duration * stream.time_base * _MICRO)
    return container.duration or 0


def _frames(
    demuxer: int,
    data: bytes,
    timeline: _Timeline,
    *,
    most_frames: int,
    most_pixels: int,
    most_together: int,
) -> Iterator[Message]:
    decoded = sampled = other_size = 0
    whole, latest = timeline.whole, timeline.times[0]
    size: tuple[int, int, bool] | None = None
    wanted: list[int] = []
    with _open(demuxer, data) as container:
        stream = _stream(container)
        context = stream.codec_context
        context.thread_count = 1
        # FFmpeg's count includes the padding around a frame. The exact limit is tested for each frame below.
        context.options = {"max_pixels": str(_PADDED * most_pixels + _PADDING)}
        _require_size(context.width, context.height, most_pixels)
        frames = container.decode(stream)
        while True:
            try:
                frame = next(frames, None)
            except av.FFmpegError:
                whole = False
                break
            if frame is None:
                break
            _require_size(frame.width, frame.height, most_pixels)
            # A frame that lies on its side has another size once it is upright.
            own_size = (frame.width, frame.height, round(frame.rotation / _QUARTER) % 2 == 1)
            if size is None:
                size = own_size
                count = min(most_frames, most_together // (frame.width * frame.height))
                wanted = _evenly(timeline.times, max(1, count))
            latest = max(latest, timeline.of(frame, decoded))
            decoded += 1
            if own_size != size:
                other_size += 1
            elif sampled < len(wanted) and latest >= wanted[sampled]:
                sampled = bisect_right(wanted, latest)
                yield _message(frame, latest - timeline.times[0])
        others = len(container.streams) - 1
    if not decoded:
        raise _NoResult(Unable.DOES_NOT_DECODE)
    length = timeline.times[-1] - timeline.times[0]
    yield Message(MessageKind.END, (decoded, other_size, others, int(not whole), length, len(timeline.times)))


def _require_size(width: int, height: int, most_pixels: int) -> None:
    if width * height > most_pixels:
        raise _NoResult(Unable.TOO_MANY_PIXELS, width * height)


def _evenly(times: list[int], count: int) -> list[int]:
    """Returns at most ``count`` of the ascending times: those nearest to even spacing, with both ends."""
    if len(times) <= count:
        return sorted(set(times))
    if count == 1:
        return [times[len(times) // 2]]
    step = (times[-1] - times[0]) / (count - 1)
    chosen = set()
    for number in range(count):
        target = times[0] + number * step
        after = min(bisect_right(times, target), len(times) - 1)
        chosen.add(min(times[max(0, after - 1)], times[after], key=lambda time: abs(time - target)))
    return sorted(chosen)


def _message(frame: VideoFrame, time: int) -> Message:
    # PyAV states the counter-clockwise rotation that makes the frame upright.
    degrees = round(-frame.rotation / _QUARTER) * _QUARTER % _WHOLE
    plain = frame.reformat(format="bgr24", threads=1)
    plane, row = plain.planes[0], 3 * plain.width
    rows = bytes(plane)
    if plane.line_size != row:
        rows = b"".join(
            rows[start : start + row] for start in range(0, plane.line_size * plain.height, plane.line_size)
        )
    return Message(MessageKind.FRAME, (plain.width, plain.height, degrees, time), rows[: row * plain.height])
