"""Decodes video to sampled frames, in the worker: FFmpeg's demuxers and decoders through PyAV.

It reads the file twice. The first pass reads the packets' times, which is cheap and does not trust the
header. The second pass decodes, and keeps only the frames nearest to evenly spaced times. If another size
than that of the first frame turns out to be the usual one, as in an adaptive recording that starts small, it
decodes once more. Frames are passed on with square pixels. To turn and mirror them, and to show HDR as SDR,
is left to the server.
"""

import io
import struct
from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

import av
import av.subtitles.stream
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from vision.isolation.protocol import LightCurve, Message, MessageKind, Unable

DEMUXERS: Final = ("mov", "avi", "matroska")
"""FFmpeg's demuxers by the number in a job. No other is used, so no playlist and no device is opened."""
_CODECS: Final = "h264,hevc,vp8,libvpx,vp9,libvpx-vp9,av1,libdav1d,mpeg4,mjpeg"
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"
_QUARTER: Final = 90
_WHOLE: Final = 360
_MATRIX: Final = struct.Struct("=9i")
_ORIENTATIONS: Final = (
    (1, 0, 0, 1, 0, 0),
    (0, 1, -1, 0, 90, 0),
    (-1, 0, 0, -1, 180, 0),
    (0, -1, 1, 0, 270, 0),
    (-1, 0, 0, 1, 0, 1),
    (0, 1, 1, 0, 90, 1),
    (1, 0, 0, -1, 180, 1),
    (0, -1, -1, 0, 270, 1),
)
"""a, b, c and d of a display matrix (ISO/IEC 14496-12, clause 6.2.2); the degrees clockwise that make the
frame upright, and whether it is mirrored left to right after that."""
_CURVES: Final = {int(ColorTrc.SMPTE2084): LightCurve.PQ, int(ColorTrc.ARIB_STD_B67): LightCurve.HLG}
_WIDEST: Final = 8
"""The side ratio of a pixel up to which a file is believed."""
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
        """Return the time at which a frame is shown, microseconds within the timeline."""
        time = self.times[min(index, len(self.times) - 1)]
        if not self.counted and frame.pts is not None and frame.time_base is not None:
            time = int(frame.pts * frame.time_base * _MICRO)
        return min(max(time, self.times[0]), self.times[-1])


def decode_video(numbers: tuple[int, ...], data: bytes) -> Iterator[Message]:
    """Decode one video.

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
        start = 0 if _is_cut_matroska(data) else min(times, default=0)
        declared = _declared_length(container, stream, start=start)
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


def _declared_length(container: InputContainer, stream: VideoStream, *, start: int) -> int:
    """Return the declared length, microseconds; 0 if the file states none.

    Args:
        start: The time of the first frame. Many programs declare the time of the end in Matroska files, also
            if these begin hours after zero, as parts of a recording do. 0 for a file that is cut: nobody can
            tell what it declares, and its end is missing under both meanings.
    """
    if stream.duration and stream.time_base:
        return int(stream.duration * stream.time_base * _MICRO)
    declared = container.duration or 0
    return declared - start if 0 < start < declared else declared


def _is_cut_matroska(data: bytes) -> bool:
    """Whether the segment of a Matroska file (RFC 9559, section 5.1) declares more bytes than there are."""
    head = _element_end(data, 0) if data.startswith(_EBML) else None
    if head is None or data[head : head + 4] != _SEGMENT:
        return False
    end = _element_end(data, head)
    return end is not None and end > len(data)


def _element_end(data: bytes, start: int) -> int | None:
    """Return where an element with a name of four bytes ends (RFC 8794); ``None`` if nobody knows."""
    first = data[start + 4 : start + 5]
    length = 9 - first[0].bit_length() if first else 9
    if length > 8:
        return None
    stored = int.from_bytes(data[start + 4 : start + 4 + length]) & ((1 << 7 * length) - 1)
    return None if stored == (1 << 7 * length) - 1 else start + 4 + length + stored


def _frames(
    demuxer: int,
    data: bytes,
    timeline: _Timeline,
    *,
    most_frames: int,
    most_pixels: int,
    most_together: int,
) -> Iterator[Message]:
    usual: tuple[int, int] | None = None
    while True:
        found = yield from _frames_of_size(
            demuxer,
            data,
            timeline,
            usual,
            most_frames=most_frames,
            most_pixels=most_pixels,
            most_together=most_together,
        )
        if isinstance(found, Message):
            yield found
            return
        usual = found
        yield Message(MessageKind.AGAIN)


def _frames_of_size(
    demuxer: int,
    data: bytes,
    timeline: _Timeline,
    usual: tuple[int, int] | None,
    *,
    most_frames: int,
    most_pixels: int,
    most_together: int,
) -> Generator[Message, None, Message | tuple[int, int]]:
    """Yield the frames of the usual size; if it is ``None``, of that of the first frame.

    Returns:
        The message of the end; or, only if ``usual`` is ``None``, the width and height that upright frames
        have for more of the time than those that were yielded.
    """
    decoded = sampled = other_size = 0
    whole, latest = timeline.whole, timeline.times[0]
    length = timeline.times[-1] - timeline.times[0]
    # The last frame is shown as long as the others are on average.
    last_shown_for = max(1, length // max(1, len(timeline.times) - 1))
    size = usual
    shown_for: dict[tuple[int, int], int] = {}
    last: tuple[int, int] | None = None
    wanted: list[int] = []
    reformatter = VideoReformatter()
    # Asked once for each angle: a frame whose side data were read is freed only by the next run of the
    # garbage collector, and hundreds of them are more than the worker's memory.
    orientations: dict[int, tuple[int, int]] = {}
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
            if frame.rotation not in orientations:
                orientations[frame.rotation] = _orientation(frame)
            degrees, mirrored = orientations[frame.rotation]
            width, height = _square(frame, stream.sample_aspect_ratio, most_pixels)
            own_size = (height, width) if degrees in {90, 270} else (width, height)
            before, latest = latest, max(latest, timeline.of(frame, decoded))
            if last is not None:
                shown_for[last] = shown_for.get(last, 0) + latest - before
                if usual is None and last != size and 2 * shown_for[last] > length + last_shown_for:
                    return last
            last = own_size
            size = size or own_size
            if not wanted:
                wanted = _evenly(
                    timeline.times, max(1, min(most_frames, most_together // (size[0] * size[1])))
                )
            decoded += 1
            if own_size != size:
                other_size += 1
            elif sampled < len(wanted) and latest >= wanted[sampled]:
                sampled = bisect_right(wanted, latest)
                curve = _CURVES.get(frame.color_trc, LightCurve.SDR)
                layout = "bgr24" if curve is LightCurve.SDR else "bgr48le"
                plain = reformatter.reformat(frame, width, height, format=layout, threads=1)
                numbers = (width, height, degrees, mirrored, latest - timeline.times[0], curve)
                yield Message(MessageKind.FRAME, numbers, _rows(plain, width * curve.pixel_bytes))
    if last is None or size is None:
        raise _NoResult(Unable.DOES_NOT_DECODE)
    shown_for[last] = shown_for.get(last, 0) + last_shown_for
    most = max(shown_for, key=lambda seen: (shown_for[seen], seen == size))
    if usual is None and most != size:
        return most
    return Message(MessageKind.END, (decoded, other_size, int(not whole), length, len(timeline.times)))


def _require_size(width: int, height: int, most_pixels: int) -> None:
    if width * height > most_pixels:
        raise _NoResult(Unable.TOO_MANY_PIXELS, width * height)


def _evenly(times: list[int], count: int) -> list[int]:
    """Return at most ``count`` of the ascending times: those nearest to even spacing, with both ends."""
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


def _orientation(frame: VideoFrame) -> tuple[int, int]:
    """Return degrees clockwise and 0 or 1 for mirrored, of the orientation nearest to the display matrix."""
    try:
        matrix = cast("SideDataContainer", frame.side_data)[Type.DISPLAYMATRIX]
    except KeyError:
        return 0, 0
    except ValueError:
        # PyAV knows no other data of a frame that has a kind it does not know, such as EXIF.
        return round(-frame.rotation / _QUARTER) * _QUARTER % _WHOLE, 0
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(matrix)[: _MATRIX.size])
    nearest = max(_ORIENTATIONS, key=lambda one: a * one[0] + b * one[1] + c * one[2] + d * one[3])
    return nearest[4], nearest[5]


def _square(frame: VideoFrame, pixel: Fraction | None, most_pixels: int) -> tuple[int, int]:
    """Return width and height of the stored frame with square pixels, within the limit."""
    width, height = frame.width, frame.height
    if not pixel or pixel == 1 or not 1 <= _WIDEST * pixel <= _WIDEST**2:
        return width, height
    wide, high = (width * pixel, Fraction(height)) if pixel > 1 else (Fraction(width), height / pixel)
    shrink = min(1.0, (most_pixels / (wide * high)) ** 0.5)
    return max(1, int(wide * shrink)), max(1, int(high * shrink))


def _rows(plain: VideoFrame, row: int) -> bytes:
    plane = plain.planes[0]
    rows = bytes(plane)
    if plane.line_size != row:
        rows = b"".join(
            rows[start : start + row] for start in range(0, plane.line_size * plain.height, plane.line_size)
        )
    return rows[: row * plain.height]
