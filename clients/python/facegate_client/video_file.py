"""Frame sources that are no camera: a video file, a folder of still images, any iterator of frames."""

import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from facegate_client.errors import SourceError
from facegate_client.frame_source import CameraDescription, Pace, Pixels, needed_by
from facegate_client.recording import Recording

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.sidedata.sidedata import SideDataContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream
    from numpy.typing import NDArray


def generated_source(
    frames: Iterable[tuple[Pixels | bytes, float]],
    *,
    label: str = "generated",
    frames_per_second: float = 0.0,
    pace: Pace = "realtime",
) -> Recording:
    """Wrap frames from another source.

    A generator may be slower than real time. Its frames then get the time of their arrival as capture time,
    and none is lost.

    Args:
        frames: Pairs of an image (pixels in BGR, or JPEG bytes) and its capture time in seconds,
            strictly rising.
        frames_per_second: Nominal rate; 0 if unknown.
        pace: ``realtime`` or ``fast``.
    """
    camera = CameraDescription(label=label, frames_per_second=frames_per_second, timestamp_source="generated")
    return Recording(_in_microseconds(frames), camera=camera, pace=pace, skip_late=False)


def _in_microseconds(
    frames: Iterable[tuple[Pixels | bytes, float]],
) -> Iterator[tuple[Pixels | bytes, int]]:
    last_us = None
    for image, seconds in frames:
        time_us = round(seconds * 1_000_000)
        last_us = time_us if last_us is None else max(time_us, last_us + 1)
        yield image, last_us


_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
_SUFFIXES = _JPEG_SUFFIXES | {".png"}


def open_image_folder(folder: Path, *, frames_per_second: float = 15.0, pace: Pace = "realtime") -> Recording:
    """Open a folder of JPEG and PNG files, in the order of their names; PNG needs the extra ``video``.

    Args:
        folder: The folder; its subfolders are not read.
        frames_per_second: The rate of the images, above 0.
        pace: ``realtime`` or ``fast``.

    Raises:
        SourceError: The folder is missing or has no JPEG or PNG files, or the rate is not above 0.
    """
    if not frames_per_second > 0:
        raise SourceError(f"a rate of {frames_per_second} frames per second is not above 0")
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise SourceError(f"the folder {folder} cannot be read") from error
    if not files:
        raise SourceError(f"the folder {folder} has no .jpg, .jpeg or .png files")
    camera = CameraDescription(
        label="image folder", frames_per_second=frames_per_second, timestamp_source="nominal"
    )
    return Recording(_images(files, frames_per_second), camera=camera, pace=pace, skip_late=True)


def _images(files: list[Path], frames_per_second: float) -> Iterator[tuple[Pixels | bytes, int]]:
    for index, path in enumerate(files):
        content = path.read_bytes()
        time_us = round(index * 1_000_000 / frames_per_second)
        yield (content if path.suffix.lower() in _JPEG_SUFFIXES else _decoded_image(content, path)), time_us


def _decoded_image(content: bytes, path: Path) -> Pixels:
    with needed_by("video"):
        from facegate_client.pixel_codec import decode
    try:
        return decode(content)
    except SourceError as error:
        raise SourceError(f"{path.name} cannot be decoded") from error


# FFmpeg would open these as videos of one frame.
_STILL_SUFFIXES = frozenset({".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_USUAL_FPS = 30.0
_FASTEST_FPS = 240.0
_MICRO: Final = 1_000_000
_MATRIX: Final = struct.Struct("=9i")
_TURNS: Final = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))
_Matrices: TypeAlias = dict[int, tuple[int, int, int, int]]
"""The display matrices of a file, by their angle."""
_WIDEST: Final = 8
_RESIZING: Final = frozenset({"vp9", "libvpx-vp9", "av1", "libdav1d"})
"""Decoders whose frames may change their size between key frames."""


def open_video(path: Path, *, pace: Pace = "realtime") -> Recording:
    """Open a video file; it needs the extra ``video``.

    Frames are as a player shows them: turned and mirrored by the display matrix of the file, with square
    pixels, HDR (HLG, PQ) as SDR. Frames of another size than the usual one, which the film has for most of
    its time, are left out. Timestamps are the container's; if they do not rise, the nominal frame rate is
    used.

    Args:
        path: The file, in any format that FFmpeg reads.
        pace: ``realtime`` or ``fast``.

    Raises:
        SourceError: The file is missing, is not a video that FFmpeg reads, or the extra is not installed.
    """
    if not path.is_file():
        raise SourceError(f"no video file at {path}")
    if path.suffix.lower() in _STILL_SUFFIXES:
        raise SourceError(
            f"{path.name} is a still image, not a video; a scan needs a video or a folder of images"
        )
    with needed_by("video"):
        import av

        import facegate_client.pixel_codec  # noqa: F401 - for frames, later
    try:
        size = _usual_size(path, key_frames=True) or _usual_size(path, key_frames=False)
        if size is None:
            raise SourceError(f"{path.name} is not a readable video: no frame of it can be decoded")
        container = av.open(str(path))
        stream = _video_stream(container)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path.name} is not a readable video") from error
    nominal = float(stream.average_rate or 0)
    fps = nominal if 0 < nominal <= _FASTEST_FPS else _USUAL_FPS
    camera = CameraDescription(
        label=f"video file {path.suffix.lstrip('.').lower()}",
        width=size[0],
        height=size[1],
        frames_per_second=fps,
        timestamp_source="container",
    )
    frames = _frames(container, stream, size, fps)
    return Recording(frames, camera=camera, pace=pace, skip_late=True, close=container.close)


def _video_stream(container: "InputContainer") -> "VideoStream":
    stream = container.streams.best("video")
    if stream is None:
        raise SourceError("the file contains no video")
    video = cast("VideoStream", stream)
    video.thread_type = "AUTO"
    return video


def _decoded(
    container: "InputContainer", stream: "VideoStream"
) -> Iterator[tuple[int | None, list["VideoFrame"]]]:
    """Yield each packet's time in microseconds, if it has one, and the frames that it decodes to."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = []
        yield _microseconds(packet.dts if packet.pts is None else packet.pts, packet.time_base), frames


def _microseconds(time: int | None, unit: Fraction | None) -> int | None:
    return None if time is None or unit is None else int(time * unit * _MICRO)


def _usual_size(path: Path, *, key_frames: bool) -> tuple[int, int] | None:
    """Return the size that upright frames have for most of the time, or ``None`` if there are none.

    As for the server, the last frame is shown as long as the others are on average, and of sizes that are
    shown equally long the first counts.
    """
    import av

    seen: list[tuple[int, tuple[int, int]]] = []
    times: list[int] = []
    known: _Matrices = {}
    with av.open(str(path)) as container:
        stream = _video_stream(container)
        if key_frames and stream.codec_context.name not in _RESIZING:
            stream.codec_context.skip_frame = "NONKEY"
        for time, frames in _decoded(container, stream):
            if time is not None:
                times.append(time)
            seen += [
                (_microseconds(frame.pts, frame.time_base) or 0, _upright_size(frame, stream, known))
                for frame in frames
            ]
    first, last = min(times, default=0), max(times, default=0)
    end = last + (last - first) // max(1, len(times) - 1)
    shown_for: dict[tuple[int, int], int] = {}
    for (time, size), (until, _) in pairwise([*seen, (end, (0, 0))]):
        shown_for[size] = shown_for.get(size, 0) + max(0, until - time)
    return max(shown_for, key=lambda size: shown_for[size], default=None)


def _frames(
    container: "InputContainer", stream: "VideoStream", size: tuple[int, int], fps: float
) -> Iterator[tuple[Pixels, int]]:
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    known: _Matrices = {}
    interval_us = round(_MICRO / fps)
    first_us: int | None = None
    last_us = -interval_us
    for frame in (frame for _, frames in _decoded(container, stream) for frame in frames):
        container_us = 0 if frame.pts is None else round(frame.time * _MICRO)
        first_us = container_us if first_us is None else first_us
        container_us -= first_us
        last_us = container_us if container_us > last_us else last_us + interval_us
        if _upright_size(frame, stream, known) == size:
            yield _upright(reformatter, frame, _square_size(frame, stream), known), last_us


def _matrix(frame: "VideoFrame", known: "_Matrices") -> tuple[int, int, int, int]:
    # A frame whose side data were read is freed only by the next run of the garbage collector.
    if frame.rotation not in known:
        known[frame.rotation] = _stated_matrix(frame)
    return known[frame.rotation]


def _stated_matrix(frame: "VideoFrame") -> tuple[int, int, int, int]:
    """Return a, b, c and d of the display matrix: x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12)."""
    from av.sidedata.sidedata import Type

    try:
        stated = cast("SideDataContainer", frame.side_data)[Type.DISPLAYMATRIX]
    except KeyError:
        return 1, 0, 0, 1
    except ValueError:
        # PyAV knows no other data of a frame that has a kind it does not know, such as EXIF.
        return _TURNS[round(-frame.rotation / 90) % 4]
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(stated)[: _MATRIX.size])
    return a, b, c, d


def _lies_down(frame: "VideoFrame", known: "_Matrices") -> bool:
    a, b, c, d = _matrix(frame, known)
    return abs(b) + abs(c) > abs(a) + abs(d)


def _square_size(frame: "VideoFrame", stream: "VideoStream") -> tuple[int, int]:
    """Return the width and height that the frame, as it is stored, has with square pixels."""
    pixel = stream.sample_aspect_ratio or Fraction(1)
    if pixel == 1 or not Fraction(1, _WIDEST) <= pixel <= _WIDEST:
        return frame.width, frame.height
    if pixel > 1:
        return max(1, int(frame.width * pixel)), frame.height
    return frame.width, max(1, int(frame.height / pixel))


def _upright_size(frame: "VideoFrame", stream: "VideoStream", known: "_Matrices") -> tuple[int, int]:
    width, height = _square_size(frame, stream)
    return (height, width) if _lies_down(frame, known) else (width, height)


def _upright(
    reformatter: "VideoReformatter", frame: "VideoFrame", size: tuple[int, int], known: "_Matrices"
) -> Pixels:
    import numpy as np
    from av.video.reformatter import ColorTrc

    from facegate_client.pixel_codec import hdr_to_srgb

    hdr = frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
    plain = reformatter.reformat(frame, *size, format="bgr48le" if hdr else "bgr24").to_ndarray()
    if hdr:
        plain = hdr_to_srgb(cast("NDArray[np.uint16]", plain), hlg=frame.color_trc == ColorTrc.ARIB_STD_B67)
    a, b, c, d = _matrix(frame, known)
    turned = _lies_down(frame, known)
    right, down = (c, b) if turned else (a, d)
    if turned:
        plain = plain.swapaxes(0, 1)
    return cast("Pixels", np.ascontiguousarray(plain[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]))
