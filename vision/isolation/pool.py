"""The isolated decoders: JPEG 2000, WebP and video, each job in a worker process that may die of it."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vision.errors import DecoderUnavailable, ImageError, ImageFault, VideoError, VideoFault, VisionError
from vision.face import BgrImage
from vision.image_header import ImageHeader
from vision.isolation.limits import DecoderLimits
from vision.isolation.process import LossCause, WorkerLost, WorkerProcess
from vision.isolation.still_job import ask_still, still_job
from vision.isolation.video import (
    TakeFrame,
    VideoContainer,
    VideoFrames,
    VideoLimits,
    VideoOutline,
    detect_container,
)
from vision.isolation.video_job import ask_video, video_job
from vision.isolation.workers import DecoderWorkers, WorkersState
from vision.own_process import module_command

__all__ = ["DecoderPool", "worker_command"]

_Result = TypeVar("_Result")

_STILLS: Final = "stills"
_VIDEO: Final = "video"
_LOSSES: Final[Mapping[LossCause, str]] = {
    LossCause.TIME_LIMIT: "decoding it took too long",
    LossCause.CPU_LIMIT: "decoding it took too much CPU time",
    LossCause.MEMORY_LIMIT: "decoding it took too much memory",
}
_LOST: Final = "its decoder did not survive it"


def worker_command(kind: str, *, limits: DecoderLimits, most_bytes: int) -> tuple[str, ...]:
    """What starts a worker; its parent's number is added last.

    Args:
        kind: ``stills`` or ``video``.
        limits: What it may use.
        most_bytes: Longest job.
    """
    numbers = (limits.memory_bytes, limits.cpu_seconds, most_bytes)
    return module_command("vision.isolation.worker", kind, *map(str, numbers), isolated=True)


def _nobody(_: str) -> None:
    """Takes no notice."""


class DecoderPool:
    """Decodes what is not decoded in this process. Safe for threads; every call blocks until it is done.

    Whatever a file does to its decoder, the caller gets pixels or a typed error, and the next file gets a
    worker in good order.
    """

    def __init__(
        self,
        *,
        still_workers: int = 1,
        video_workers: int = 0,
        limits: DecoderLimits | None = None,
        most_bytes: int = 50_000_000,
        on_loss: Callable[[LossCause], None] = _nobody,
        on_job: Callable[[str], None] = _nobody,
        command: Callable[..., tuple[str, ...]] = worker_command,
    ) -> None:
        """Starts nothing yet.

        Args:
            still_workers: Workers for pictures; 0 for none.
            video_workers: Workers for videos; 0 for none.
            limits: What a job may use.
            most_bytes: Longest file that is ever sent to a worker.
            on_loss: Told whenever a worker is given up, on the thread that noticed.
            on_job: Told of every job how it ended: ``decoded``, ``refused``, ``lost`` (with its worker) or
                ``no_worker``.
            command: Gives the command of a worker; tests give one whose decoders misbehave.
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
        """Starts the workers, and waits until one of each kind is ready.

        Raises:
            DecoderUnavailable: One does not start; everything is closed again.
        """
        try:
            for workers in self._workers.values():
                workers.start()
        except DecoderUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Ends the workers, at once; jobs that run fail."""
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
        """What the workers did so far, by kind: ``stills``, ``video``; only kinds that there are."""
        return {kind: workers.state for kind, workers in self._workers.items()}

    def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Decodes one JPEG 2000 or WebP picture.

        Args:
            data: The file, whose length was checked.
            header: Its header, whose size was checked; the pixels must have that size.

        Returns:
            As stored: shape (height, width) grey, or (height, width, 3 or 4) BGR or BGRA; 8 bits, or 16
            for deep grey.

        Raises:
            ImageError: MALFORMED or ANIMATED.
            DecoderUnavailable: No worker can take it now.
            ValueError: Another format; a mistake of the caller's code.
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

    def decode_video(self, data: bytes, *, limits: VideoLimits) -> VideoFrames:
        """Decodes frames of a video's best stream, evenly spaced in time.

        Args:
            data: The file: MP4, MOV, AVI, WebM or MKV.
            limits: What may be decoded.

        Raises:
            VideoError: With the fault and its numbers.
            DecoderUnavailable: No worker can take it now.
        """
        given: list[tuple[BgrImage, float]] = []

        def begin() -> TakeFrame:
            given.clear()
            return lambda pixels, time: given.append((pixels, time))

        outline = self.stream_video(data, limits=limits, begin=begin)
        return VideoFrames(
            container=outline.container,
            frames=tuple(pixels for pixels, _ in given),
            timestamps=tuple(time for _, time in given),
            seconds=outline.seconds,
            decoded=outline.decoded,
            other_size=outline.other_size,
            other_streams=outline.other_streams,
            complete=outline.complete,
        )

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        """As ``decode_video``, but gives out each frame before the next is read, so that none is kept.

        Args:
            data: The file: MP4, MOV, AVI, WebM or MKV.
            limits: What may be decoded. What is done with the frames counts for the time of the job.
            begin: Gives what takes the frames. Called again, for all of them again, where a worker was
                killed from outside.

        Raises:
            VideoError: With the fault and its numbers; frames may have been given out already.
            DecoderUnavailable: No worker can take it now.
            VisionError: What ``take`` raised; it gets no more frames then.
        """
        if not data:
            raise VideoError(VideoFault.EMPTY, "there are no bytes: send the video file's content")
        if len(data) > limits.max_bytes:
            raise VideoError(
                VideoFault.TOO_MANY_BYTES,
                f"the video has {len(data)} bytes, at most {limits.max_bytes} are accepted",
                details={"bytes": len(data), "max_bytes": limits.max_bytes},
            )
        container = detect_container(data)
        if container is None:
            raise VideoError(
                VideoFault.UNSUPPORTED_FORMAT,
                "the file is not MP4, MOV, AVI, WebM or MKV: send one of these",
                details={"bytes": len(data)},
            )
        job = video_job(data, container, limits)
        sink = _Sink(begin)

        def ask(worker: WorkerProcess, deadline: float) -> VideoOutline:
            return ask_video(
                worker, job, container=container, limits=limits, deadline=deadline, take=sink.begun()
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
            f"{what}, more than {limit:g} s; send a shorter video or smaller pictures, or try again later",
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
    """Keeps a failure of whoever takes the frames until the worker has answered whole."""

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
