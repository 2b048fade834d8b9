"""The pool of isolated decoders: JPEG 2000, WebP and video, each job in a worker that may crash."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from formats.errors import ImageFault
from formats.foreign_format import recognise_foreign
from formats.image_format import ImageFormat, ImageHeader
from vision.errors import DecoderUnavailable, ImageError, VideoError, VideoFault, VisionError
from vision.face import BgrImage
from vision.isolation.protocol import Message, MessageKind, PixelLayout, StillCode, Unable
from vision.isolation.video import (
    TakeFrame,
    VideoContainer,
    VideoLimits,
    VideoOutline,
    ask_video,
    detect_container,
    video_job,
)
from vision.isolation.workers import (
    DecoderLimits,
    DecoderWorkers,
    LossCause,
    WorkerLost,
    WorkerProcess,
    WorkersState,
)
from vision.own_process import module_command

_CODES: Final[Mapping[ImageFormat, StillCode]] = {
    ImageFormat.JP2: StillCode.JPEG2000,
    ImageFormat.J2K: StillCode.JPEG2000,
    ImageFormat.WEBP: StillCode.WEBP,
    ImageFormat.JPEG: StillCode.PROFILED,
    ImageFormat.PNG: StillCode.PROFILED,
}
_REFUSALS: Final[Mapping[int, tuple[ImageFault, str]]] = {
    Unable.DOES_NOT_DECODE: (ImageFault.MALFORMED, "the image data do not decode"),
    Unable.INCOMPLETE: (
        ImageFault.MALFORMED,
        "the picture is incomplete: image data are missing or damaged; send the whole file",
    ),
    Unable.COLOURS_NOT_SUPPORTED: (
        ImageFault.UNSUPPORTED_FORMAT,
        "its channels are no grey, RGB, YCC or CMYK picture; send it as RGB",
    ),
    Unable.TOO_MANY_PACKETS: (
        ImageFault.UNSUPPORTED_FORMAT,
        "the file has too many packets to be checked; save it with fewer layers and tiles, or send a JPEG",
    ),
    Unable.ANOTHER_SIZE: (ImageFault.MALFORMED, "its headers declare different sizes"),
    Unable.ANIMATED: (ImageFault.ANIMATED, "the file is an animation; send one still image"),
}


def still_job(data: bytes, header: ImageHeader) -> Message:
    """Return the job of an image.

    Raises:
        ValueError: The format is not decoded in isolation, which is a mistake in the caller's code.
    """
    if header.format not in _CODES:
        raise ValueError(f"{header.format.name} is not decoded in isolation")
    return Message(MessageKind.STILL, (_CODES[header.format], header.width, header.height), data)


def ask_still(worker: WorkerProcess, job: Message, header: ImageHeader, deadline: float) -> NDArray[np.uint8]:
    """Have a worker decode an image.

    Memory is allocated for the size in ``header``, as this process read it, and no other. ``deadline`` is on
    the monotonic clock.

    Returns:
        As ``DecoderPool.decode_still``.

    Raises:
        ImageError: The image does not decode.
        WorkerLost: There is no answer, or it does not fit the header.
    """
    worker.send_job(job, deadline=deadline)
    kind, numbers, length = worker.receive_answer(deadline=deadline)
    if kind is MessageKind.UNABLE and not length:
        worker.expect_silence()
        _refuse(numbers[0], header)
    try:
        mode = PixelLayout(numbers[0])
    except ValueError:
        raise WorkerLost(LossCause.BROKEN_ANSWER) from None
    expected = header.pixels * mode.pixel_bytes
    if kind is not MessageKind.PIXELS or numbers[1:3] != (header.width, header.height) or length != expected:
        raise WorkerLost(LossCause.BROKEN_ANSWER)
    rows = np.empty((header.height, header.width, mode.pixel_bytes), np.uint8)
    worker.read_into(rows, deadline=deadline)
    worker.expect_silence()
    return _arranged(rows, mode)


def _refuse(code: int, header: ImageHeader) -> None:
    if code == Unable.OUT_OF_MEMORY:
        raise WorkerLost(LossCause.MEMORY_LIMIT)
    if code not in _REFUSALS:
        raise WorkerLost(LossCause.BROKEN_ANSWER)
    fault, what = _REFUSALS[code]
    raise ImageError(fault, f"{header.format.name}: {what}", details={"format": header.format.name})


def _arranged(rows: NDArray[np.uint8], mode: PixelLayout) -> NDArray[np.uint8]:
    match mode:
        case PixelLayout.GREY:
            return rows[..., 0]
        case PixelLayout.GREY_ALPHA:
            return np.ascontiguousarray(rows[..., [0, 0, 0, 1]])
        case PixelLayout.BGR | PixelLayout.BGRA:
            return rows


_Result = TypeVar("_Result")

_STILLS: Final = "stills"
_VIDEO: Final = "video"
_LOSSES: Final[Mapping[LossCause, str]] = {
    LossCause.TIME_LIMIT: "decoding took too long",
    LossCause.CPU_LIMIT: "decoding took too much CPU time",
    LossCause.MEMORY_LIMIT: "decoding took too much memory",
}
_LOST: Final = "its decoder crashed"


def worker_command(kind: str, *, limits: DecoderLimits, most_bytes: int) -> tuple[str, ...]:
    """Return the command that starts a worker; the parent's process id is added last.

    ``kind`` is ``stills`` or ``video``; ``most_bytes`` the largest size of a job.
    """
    numbers = (limits.memory_bytes, limits.cpu_seconds, most_bytes)
    return module_command("vision.isolation.worker", kind, *map(str, numbers), isolated=True)


def _ignore(_: str) -> None:
    """Do nothing."""


class DecoderPool:
    """Decodes the formats that are not decoded in this process. Thread-safe; every call blocks.

    Whatever a file does to its decoder, the caller gets pixels or a typed error, and the next file gets a
    working decoder.
    """

    def __init__(
        self,
        *,
        still_workers: int = 1,
        video_workers: int = 0,
        limits: DecoderLimits | None = None,
        most_bytes: int = 50_000_000,
        on_loss: Callable[[LossCause], None] = _ignore,
        on_job: Callable[[str], None] = _ignore,
        command: Callable[..., tuple[str, ...]] = worker_command,
    ) -> None:
        """Start no worker yet.

        Args:
            still_workers: The number of workers for images; 0 for none.
            video_workers: The number of workers for videos; 0 for none.
            limits: The limits of a job.
            most_bytes: The largest size of a file that is sent to a worker.
            on_loss: Called on the thread that notices that a worker is lost.
            on_job: Called after every job with how it ended: ``decoded``, ``refused``, ``lost`` (together
                with its worker) or ``no_worker``.
            command: Returns the command of a worker; tests pass one with misbehaving decoders.
        """
        self._limits = limits or DecoderLimits()
        self._on_job = on_job
        self._workers = {
            kind: DecoderWorkers(
                command(kind, limits=self._limits, most_bytes=most_bytes),
                count=count,
                limits=self._limits,
                on_loss=on_loss,
            )
            for kind, count in ((_STILLS, still_workers), (_VIDEO, video_workers))
            if count
        }

    def start(self) -> None:
        """Start the workers, and wait until one of each kind is ready.

        Raises:
            DecoderUnavailable: A worker does not start; the pool is closed again.
        """
        try:
            for workers in self._workers.values():
                workers.start()
        except DecoderUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """End the workers at once; running jobs fail."""
        for workers in self._workers.values():
            workers.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def states(self) -> Mapping[str, WorkersState]:
        """The states of the workers by kind, ``stills`` and ``video``; only kinds with workers."""
        return {kind: workers.state for kind, workers in self._workers.items()}

    def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8]:
        """Decode one JPEG 2000 or WebP image.

        The length of the file and the size that its header declares were tested; the pixels must have that
        size.

        Returns:
            The pixels as shown: shape (height, width) grey, or (height, width, 3 or 4) BGR or BGRA; 8 bits.

        Raises:
            ImageError: MALFORMED or ANIMATED.
            DecoderUnavailable: No worker can take it now.
            ValueError: Another format, which is a mistake in the caller's code.
        """
        job = still_job(data, header)
        try:
            return self._run(_STILLS, lambda worker, deadline: ask_still(worker, job, header, deadline))
        except WorkerLost as lost:
            raise ImageError(
                ImageFault.MALFORMED,
                f"{header.format.name}: {_LOSSES.get(lost.cause, _LOST)}",
                details={"format": header.format.name},
            ) from lost

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        """Decode frames of a video's best stream, evenly spaced in time, pass each on, and keep none.

        Args:
            data: The file: MP4, MOV, AVI, WebM or MKV.
            limits: The limits of the video. The time that ``take`` uses for frames counts for the job.
            begin: Returns the function that takes the frames. It is called again, for all frames again, if a
                worker was killed from outside, or if most of the film has another size than the first frame.

        Raises:
            VideoError: The video is refused; some frames may have been passed on already.
            DecoderUnavailable: No worker can take it now.
            VisionError: Raised by the function that takes the frames; it gets no more frames then.
        """
        if not data:
            raise VideoError(VideoFault.EMPTY, "there are no bytes: send the video file's content")
        if len(data) > limits.max_bytes:
            raise VideoError(
                VideoFault.TOO_MANY_BYTES,
                f"the video has {len(data)} bytes; at most {limits.max_bytes} are accepted",
                details={"bytes": len(data), "max_bytes": limits.max_bytes},
            )
        container = detect_container(data)
        if container is None:
            foreign = recognise_foreign(data)
            found = f", but {foreign.what}" if foreign else ""
            raise VideoError(
                VideoFault.UNSUPPORTED_FORMAT,
                f"the file is not MP4, MOV, AVI, WebM or MKV{found}: send one of these",
                details={"bytes": len(data)} | ({"format": foreign.name} if foreign else {}),
            )
        job = video_job(data, container, limits)
        sink = _Sink(begin)

        def ask(worker: WorkerProcess, deadline: float) -> VideoOutline:
            return ask_video(
                worker, job, container=container, limits=limits, deadline=deadline, begin=sink.begun
            )

        try:
            outline = self._run(_VIDEO, ask)
        except WorkerLost as lost:
            raise self._video_lost(lost.cause, container) from lost
        sink.raise_failure()
        return outline

    def _video_lost(self, cause: LossCause, container: VideoContainer) -> VideoError:
        what, details = f"{container.name}: {_LOSSES.get(cause, _LOST)}", {"format": container.name}
        name, limit = {
            LossCause.TIME_LIMIT: ("max_seconds", self._limits.wall_seconds),
            LossCause.CPU_LIMIT: ("max_cpu_seconds", self._limits.cpu_seconds),
        }.get(cause, ("", 0))
        if not name:
            return VideoError(VideoFault.MALFORMED, what, details=details)
        return VideoError(
            VideoFault.TOO_SLOW,
            f"{what}, more than {limit:g} s; send a shorter video or smaller frames, or try again later",
            details={**details, name: limit},
        )

    def _run(self, kind: str, job: Callable[[WorkerProcess, float], _Result]) -> _Result:
        workers = self._workers.get(kind)
        outcome = "refused"
        try:
            if workers is None:
                raise DecoderUnavailable(
                    f"this pool has no workers for {kind}", retry_after=self._limits.wait_seconds
                )
            result = workers.run(lambda worker: job(worker, time.monotonic() + self._limits.wall_seconds))
            outcome = "decoded"
        except WorkerLost:
            outcome = "lost"
            raise
        except DecoderUnavailable:
            outcome = "no_worker"
            raise
        finally:
            self._on_job(outcome)
        return result


class _Sink:
    """Keeps an error of the function that takes the frames until the worker has answered completely."""

    def __init__(self, begin: Callable[[], TakeFrame]) -> None:
        self._begin = begin
        self._failure: VisionError | None = None

    def begun(self) -> TakeFrame:
        take = self._begin()
        self._failure = None

        def guarded(pixels: BgrImage, time: float) -> None:
            if self._failure is None:
                try:
                    take(pixels, time)
                except VisionError as error:
                    self._failure = error

        return guarded

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
