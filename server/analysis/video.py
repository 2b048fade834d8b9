"""Analyses one video, or a sequence of still frames, with the fusion model."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np

from attempt import MINIMUM_FRAMES, FileFrames, FilmCapture, StillFrames, examine, judge_study
from liveness import CaptureKind, DoubtTerms, FusionModel, LivenessPolicy, ScanObservations
from matcher import SubjectRule
from server.analysis.assessment import assessment_of
from server.analysis.results import AnalysisCode, AnalysisRefused, VideoAnalysis, VideoSource
from server.analysis.stills import FRAME_LIMITS, decode_still
from server.base.errors import Reason, Refusal, camel
from server.checks.refusals import no_decoder_free
from vision.errors import DecoderUnavailable, ModelFailed, VideoError, VideoFault
from vision.face import BgrImage
from vision.image import StillDecoder
from vision.isolation.video import (
    TakeFrame,
    VideoContainer,
    VideoLimits,
    VideoOutline,
    detect_container,
)
from vision.packs import Pack

VIDEO_LIMITS: Final = VideoLimits(
    max_bytes=50_000_000,
    max_frames=600,
    max_pixels=4096 * 2304,
    max_total_pixels=1_000_000_000,
    max_seconds=60.0,
    max_frames_per_second=120.0,
)
"""Limits of a video: one minute at ten frames a second, up to 4K. One frame is in memory at a time."""

MAXIMUM_STILLS: Final = 120
"""Maximum number of still frames of one upload."""

_REASONS: Final[Mapping[VideoFault, Reason]] = MappingProxyType(
    {
        VideoFault.EMPTY: Reason.VIDEO_EMPTY,
        VideoFault.TOO_MANY_BYTES: Reason.VIDEO_TOO_LARGE,
        VideoFault.UNSUPPORTED_FORMAT: Reason.VIDEO_FORMAT_NOT_SUPPORTED,
        VideoFault.NO_VIDEO_STREAM: Reason.VIDEO_WITHOUT_PICTURES,
        VideoFault.TOO_LONG: Reason.VIDEO_TOO_LONG,
        VideoFault.TOO_MANY_PIXELS: Reason.VIDEO_TOO_MANY_PIXELS,
        VideoFault.MALFORMED: Reason.VIDEO_MALFORMED,
        VideoFault.TOO_SLOW: Reason.VIDEO_TOO_SLOW_TO_DECODE,
    }
)
_SEVERAL_SHARE: Final = 0.5
"""If more than this share of the frames with a face show several, these are the reported problem."""


def _wanted() -> None:
    """Do nothing: the analysis is always wanted."""


class VideoDecoder(Protocol):
    """Decodes videos in isolation, such as ``vision.isolation.pool.DecoderPool``."""

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        """Decode frames of the best stream of a video, evenly spaced in time, and pass each to a callback.

        Args:
            data: The bytes of the file.
            begin: Returns the callback that takes the frames; called again if decoding starts again.

        Raises:
            VideoError: The video cannot be decoded; the error has the fault and its numbers.
            DecoderUnavailable: No decoder is free.
            VisionError: The callback raised it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoAnalyst:
    """Analyses videos. Thread-safe; keeps no data of a video.

    Attributes:
        policy: The thresholds of the fusion model; its kind of capture is replaced by that of the upload.
        subject: Defines which faces of a frame count as persons.
        video_decoder: Decodes videos in isolation; without it, videos are refused.
        still_decoder: Decodes WebP frames in isolation; without it, these are refused.
    """

    pack: Pack
    fusion: FusionModel
    policy: LivenessPolicy
    subject: SubjectRule
    video_decoder: VideoDecoder | None
    still_decoder: StillDecoder | None = None

    def analyse_video(
        self,
        content: bytes,
        *,
        container: VideoContainer | None = None,
        require_wanted: Callable[[], None] = _wanted,
    ) -> VideoAnalysis:
        """Analyse one video file.

        Args:
            content: The file: MP4, MOV, AVI, WebM or MKV.
            container: The only container that is accepted; ``None`` for any.
            require_wanted: Called before each frame; an exception of it ends the analysis.

        Raises:
            AnalysisRefused: The file cannot be used, or has too few usable frames.
            Refusal: No decoder is free (OVERLOADED), or none is configured (VIDEO_NOT_AVAILABLE).
        """
        decoder = self.video_decoder
        if decoder is None:
            raise Refusal(
                Reason.VIDEO_NOT_AVAILABLE,
                "this server is configured not to decode videos; send still frames, or ask the operator to "
                "set analysis.video_workers",
            )
        found = detect_container(content)
        if container is not None and found is not None and found is not container:
            raise AnalysisRefused(
                Reason.VIDEO_FORMAT_NOT_SUPPORTED,
                f"the file is {found.name} but was announced as {container.name}; announce its real "
                "container, or none",
                details={"container": found.name, "announcedContainer": container.name},
            )
        frames = FilmCapture(self.pack, subject=self.subject)

        def begin() -> TakeFrame:
            nonlocal frames
            frames = FilmCapture(self.pack, subject=self.subject)
            return take

        def take(pixels: BgrImage, capture_time: float) -> None:
            require_wanted()
            frames.take_film_frame(pixels, capture_time)

        try:
            outline = decoder.stream_video(content, limits=VIDEO_LIMITS, begin=begin)
            return self._judged(
                frames,
                lambda observed: VideoSource(
                    container=outline.container,
                    frames=len(observed.frames),
                    usable=len(observed.usable),
                    seconds=outline.seconds,
                    other_size=outline.other_size,
                    repeated=0,
                    complete=outline.complete,
                ),
            )
        except VideoError as error:
            raise AnalysisRefused(_REASONS[error.reason], str(error), details=camel(error.details)) from error
        except DecoderUnavailable as error:
            raise no_decoder_free(error, "video decoder") from error
        except ModelFailed as error:
            raise _failed() from error

    def analyse_frames(
        self, contents: Sequence[bytes], *, require_wanted: Callable[[], None] = _wanted
    ) -> VideoAnalysis:
        """Analyse still frames in the order of their capture.

        Their times are not known, so no motion between them is measured.

        Args:
            contents: The files: JPEG, PNG, WebP or BMP, 8 to ``MAXIMUM_STILLS`` of them.
            require_wanted: Called before each of them; an exception of it ends the analysis.

        Raises:
            AnalysisRefused: A file cannot be used, or there are too few usable frames.
            Refusal: No decoder is free (OVERLOADED).
        """
        if not contents:
            raise AnalysisRefused(
                Reason.VIDEO_EMPTY, f"there are no still frames; send {MINIMUM_FRAMES} or more"
            )
        if len(contents) > MAXIMUM_STILLS:
            raise AnalysisRefused(
                Reason.VIDEO_TOO_LARGE,
                f"there are {len(contents)} still frames; at most {MAXIMUM_STILLS} are accepted",
                details={"frames": len(contents), "maxFrames": MAXIMUM_STILLS},
            )
        try:
            return self._judged_stills(contents, require_wanted)
        except ModelFailed as error:
            raise _failed() from error

    def _judged_stills(self, contents: Sequence[bytes], require_wanted: Callable[[], None]) -> VideoAnalysis:
        usual: tuple[int, ...] | None = None
        while True:
            frames, seen = StillFrames(self.pack, subject=self.subject), set[bytes]()
            sizes, repeated = Counter[tuple[int, ...]](), 0
            for index, content in enumerate(contents):
                require_wanted()
                pixels = self._still(content, index)
                usual = usual or pixels.shape
                sizes[pixels.shape] += 1
                if pixels.shape != usual:
                    continue
                mark = blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
                if mark in seen:
                    repeated += 1
                else:
                    seen.add(mark)
                    frames.take_still_frame(pixels)
            most = max(sizes, key=lambda size: (sizes[size], size == usual))
            if most == usual:
                break
            usual = most
        return self._judged(
            frames,
            lambda observed: VideoSource(
                container=None,
                frames=len(observed.frames),
                usable=len(observed.usable),
                seconds=None,
                other_size=sizes.total() - sizes[most],
                repeated=repeated,
                complete=True,
            ),
        )

    def _still(self, content: bytes, index: int) -> BgrImage:
        decoded = decode_still(
            content, limits=FRAME_LIMITS, still_decoder=self.still_decoder, frame_index=index
        )
        return decoded.pixels

    def _judged(
        self, frames: FileFrames, describe: Callable[[ScanObservations], VideoSource]
    ) -> VideoAnalysis:
        observed = frames.observations
        source = describe(observed)
        capture = CaptureKind.FRAMES if source.container is None else CaptureKind.SCAN
        _refuse_too_little(observed, source)
        study = examine(frames, pack=self.pack)
        # No challenge can follow, so doubt is INCONCLUSIVE. A pack for evaluation is never beyond it.
        doubt = None if self.pack.evaluation_only else DoubtTerms()
        liveness = judge_study(
            study, policy=replace(self.policy, capture=capture), fusion=self.fusion, doubt=doubt
        )
        assessment = assessment_of(
            pack=self.pack,
            pad_scores=study.pad_scores,
            signals=liveness.signals,
            one_person=study.constant is not None,
        )
        return VideoAnalysis(
            source=source, liveness=assessment.bounded(liveness), study=study, assessment=assessment
        )


def _refuse_too_little(observed: ScanObservations, source: VideoSource) -> None:
    if source.usable >= MINIMUM_FRAMES:
        return
    numbers = {
        "frames": source.frames,
        "usableFrames": source.usable,
        "minFrames": MINIMUM_FRAMES,
        "otherSizeFrames": source.other_size,
        "repeatedFrames": source.repeated,
    }
    shown = [frame for frame in observed.frames if frame.face is not None]
    if len(observed.frames) >= MINIMUM_FRAMES and not shown:
        raise AnalysisRefused(
            Reason.FACE_NOT_FOUND,
            f"no face was found in {source.frames} frames; send a video of a face, close and well lit",
            details=numbers,
            code=AnalysisCode.NO_FACE_DETECTED,
        )
    several = sum(frame.faces > 1 for frame in shown)
    if shown and several > _SEVERAL_SHARE * len(shown):
        raise AnalysisRefused(
            Reason.MULTIPLE_FACES,
            f"{several} frames show more than one face; send a video of one person alone",
            details={**numbers, "framesWithSeveralFaces": several},
            code=AnalysisCode.MULTIPLE_FACES_DETECTED,
        )
    raise AnalysisRefused(
        Reason.TOO_FEW_FRAMES,
        f"{source.usable} of {source.frames} frames show exactly one face, and {MINIMUM_FRAMES} are needed; "
        f"{source.other_size} of another size and {source.repeated} repeated ones do not count",
        details=numbers,
    )


def _failed() -> Refusal:
    return Refusal(
        Reason.INTERNAL,
        "a model could not process the video; send it again, and if that does not help, contact the operator",
        details={"code": AnalysisCode.INFERENCE_ERROR.value},
    )
