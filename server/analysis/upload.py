"""Assembles the messages of a video upload into one file or a sequence of still frames, within limits.

The first message that exceeds a limit is refused, and nothing is read or kept after it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from formats.foreign_format import recognise_foreign
from server.analysis.results import AnalysisRefused
from server.analysis.stills import FRAME_LIMITS
from server.analysis.video import MAXIMUM_STILLS, VIDEO_LIMITS
from server.base.errors import Reason
from vision.isolation.video import VideoContainer, detect_container

MOST_BYTES: Final = VIDEO_LIMITS.max_bytes
MOST_CHUNK_BYTES: Final = 1024 * 1024
LEAST_CHUNK_BYTES: Final = 4096


class UploadKind(StrEnum):
    """The content of an upload."""

    VIDEO = "VIDEO"
    """One file in chunks."""
    FRAMES = "FRAMES"
    """Still frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """The announcement in the first message of an upload.

    Attributes:
        kind: The content that follows.
        container: The container of the file; ``None`` for any. Only for VIDEO.
        total_bytes: The total size of the content that follows; 0 if it is not known.
    """

    kind: UploadKind
    container: VideoContainer | None = None
    total_bytes: int = 0

    def validate(self) -> None:
        """Test the plan against the limits.

        Raises:
            AnalysisRefused: The plan exceeds a limit, or names a container for still frames.
        """
        if self.total_bytes > MOST_BYTES:
            raise _too_large(self.total_bytes)
        if self.kind is UploadKind.FRAMES and self.container is not None:
            raise AnalysisRefused(
                Reason.INVALID_FIELD,
                "still frames have no container: leave `container` out, or set `kind` to KIND_VIDEO",
                details={"field": "container"},
            )


class VideoUpload:
    """One upload, of one call."""

    def __init__(self, plan: UploadPlan) -> None:
        """Set the plan, which must have passed ``UploadPlan.check``."""
        self.plan = plan
        self._parts: list[bytes] = []
        self._bytes = 0
        self._short = False

    def add_chunk(self, chunk: bytes) -> None:
        """Add the next bytes of the file.

        Raises:
            AnalysisRefused: A chunk is not expected, has the wrong size, or exceeds a limit of the upload.
        """
        if self.plan.kind is not UploadKind.VIDEO:
            raise _unexpected("a chunk arrived among still frames; send each as `frame`")
        if not chunk or len(chunk) > MOST_CHUNK_BYTES:
            raise AnalysisRefused(
                Reason.INVALID_FIELD,
                f"a chunk has {len(chunk)} bytes; 1 to {MOST_CHUNK_BYTES} are allowed",
                details={"field": "chunk", "bytes": len(chunk), "maxBytes": MOST_CHUNK_BYTES},
            )
        if self._short:
            raise _unexpected(f"only the last chunk may have fewer than {LEAST_CHUNK_BYTES} bytes")
        self._short = len(chunk) < LEAST_CHUNK_BYTES
        self._grow(len(chunk))
        if not self._parts and detect_container(chunk) is None and not self._short:
            # Refused at the first chunk, so that the caller does not upload the rest in vain.
            foreign = recognise_foreign(chunk)
            found = f", but {foreign.what}" if foreign else ""
            raise AnalysisRefused(
                Reason.VIDEO_FORMAT_NOT_SUPPORTED,
                f"the file is not MP4, MOV, AVI, WebM or MKV{found}: send one of these",
                details={"bytes": len(chunk)} | ({"format": foreign.name} if foreign else {}),
            )
        self._parts.append(chunk)

    def add_frame(self, frame: bytes) -> None:
        """Add the next still frame.

        Raises:
            AnalysisRefused: A still frame is not expected, is empty, or exceeds a limit.
        """
        if self.plan.kind is not UploadKind.FRAMES:
            raise _unexpected("a still frame arrived among chunks of a file; send these as `chunk`")
        index = len(self._parts)
        if not frame:
            raise AnalysisRefused(
                Reason.IMAGE_EMPTY, f"still frame {index} is empty", details={"frameIndex": index}
            )
        if len(frame) > FRAME_LIMITS.max_bytes:
            raise AnalysisRefused(
                Reason.IMAGE_TOO_LARGE,
                f"still frame {index} has {len(frame)} bytes; at most {FRAME_LIMITS.max_bytes} are accepted",
                details={"frameIndex": index, "bytes": len(frame), "maxBytes": FRAME_LIMITS.max_bytes},
            )
        if index >= MAXIMUM_STILLS:
            raise AnalysisRefused(
                Reason.VIDEO_TOO_LARGE,
                f"more than {MAXIMUM_STILLS} still frames arrived",
                details={"maxFrames": MAXIMUM_STILLS},
            )
        self._grow(len(frame))
        self._parts.append(frame)

    def video(self) -> bytes:
        """Return the whole file, and release its parts.

        Raises:
            AnalysisRefused: The upload is shorter than announced.
        """
        self._require_whole()
        content = b"".join(self._parts)
        self._parts.clear()
        return content

    def frames(self) -> list[bytes]:
        """Return the still frames, and release them.

        Raises:
            AnalysisRefused: The upload is shorter than announced.
        """
        self._require_whole()
        frames, self._parts = self._parts, []
        return frames

    def _grow(self, more: int) -> None:
        self._bytes += more
        if self._bytes > MOST_BYTES:
            self._parts.clear()
            raise _too_large(self._bytes)
        if 0 < self.plan.total_bytes < self._bytes:
            raise self._another_length("more")

    def _require_whole(self) -> None:
        if self._bytes < self.plan.total_bytes:
            raise self._another_length("fewer")

    def _another_length(self, which: str) -> AnalysisRefused:
        return AnalysisRefused(
            Reason.VIDEO_MALFORMED,
            f"{self._bytes} bytes arrived, {which} than the {self.plan.total_bytes} announced: send as many "
            "as announced",
            details={"bytes": self._bytes, "totalBytes": self.plan.total_bytes},
        )


def _too_large(count: int) -> AnalysisRefused:
    return AnalysisRefused(
        Reason.VIDEO_TOO_LARGE,
        f"the upload has {count} bytes or more; at most {MOST_BYTES} are accepted",
        details={"bytes": count, "maxBytes": MOST_BYTES},
    )


def _unexpected(what: str) -> AnalysisRefused:
    return AnalysisRefused(Reason.UNEXPECTED_MESSAGE, what)
