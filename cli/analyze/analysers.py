"""Analyses files in this process, with the core of the server's AnalysisService, or by a server.

The report on a file is made of AnalysisService's response in both cases.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from facegate.v1 import analysis_service_pb2, result_pb2

from cli.analyze.report import (
    Attack,
    ExplainedFile,
    FileKind,
    FileReport,
    FileVerdict,
    Problem,
    Thresholds,
    blank_finding,
)
from cli.connection import Connection
from cli.errors import CommandError, FileUnusable
from cli.files import NotRegular, read_regular
from cli.image.command import DecodersOnDemand
from cli.shown import shown_name
from cli.verdict import enum_word
from cli.words import describe_lost_connection, describe_refusal
from facegate_client import (
    AnalysisClient,
    CallRefusedError,
    ConnectionFailedError,
    is_loopback,
)
from formats.foreign_format import recognise_foreign
from formats.image_header import detect_format
from formats.picture_metadata import read_exif_tags
from liveness import AttackType, LivenessPolicy, Signal, Verdict, load_fusion_model
from liveness.selfie import INCONCLUSIVE_MARGIN, SelfieSettings, load_selfie_model
from matcher import PHOTO_SUBJECT, SubjectRule
from server.analysis.image import ImageAnalyst
from server.analysis.results import (
    ATTACK_CODES,
    AnalysisCode,
    AnalysisMode,
    VideoSource,
    video_inference_id,
)
from server.analysis.stills import FRAME_LIMITS
from server.analysis.video import VideoAnalyst
from server.base.errors import Refusal
from server.edge.analysis_servicer import image_mode, image_to_wire, video_to_wire
from vision.errors import VisionError
from vision.isolation.video import detect_container
from vision.packs import Pack

MOST_BYTES: Final = 50_000_000
"""Longest file that is read: the limit of a video; the limit of an image is far lower."""

_EBML: Final = b"\x1a\x45\xdf\xa3"
_RIFF: Final = b"RIFF"
_PERCENT: Final = 100.0
_INVALID_REQUEST: Final = "INVALID_REQUEST"
"""Seed 002's code for a file that is missing, too large or of an unsupported format."""

_Answer = TypeVar("_Answer")


class AnalysisDepth(StrEnum):
    """How much is done for a picture."""

    BASIC = "basic"
    FULL = "full"


_MODES: Final = {
    AnalysisDepth.BASIC: analysis_service_pb2.ANALYSIS_MODE_BASIC,
    AnalysisDepth.FULL: analysis_service_pb2.ANALYSIS_MODE_FULL,
}


class Analyser(ABC):
    """Analyses one file after the other. Reports the problems of a file in its report."""

    def analyse(self, files: Sequence[Path], *, as_frames: bool = False) -> ExplainedFile:
        """Analyse an image or a video, or several images, in order, as the frames of one scan."""
        blank = blank_finding(tuple(files))
        try:
            if as_frames:
                blank = replace(blank, kind=FileKind.STILLS)
                frames = [read_media(file, FRAME_LIMITS.max_bytes) for file in files]
                return self._analyse_video(blank, frames)
            content = read_media(files[0])
            kind = kind_of(content)
            problem = unreadable(content, kind)
            if problem is None:
                blank = replace(blank, kind=kind)
                analyse = self._analyse_video if kind is FileKind.VIDEO else self._analyse_image
                return analyse(blank, content)
        except (CallRefusedError, FileUnusable, Refusal, VisionError) as error:
            problem = _problem(error)
        return ExplainedFile(finding=replace(blank, problem=problem, finished=datetime.now(UTC)))

    @abstractmethod
    def _analyse_image(self, blank: FileReport, content: bytes) -> ExplainedFile: ...

    @abstractmethod
    def _analyse_video(self, blank: FileReport, content: bytes | list[bytes]) -> ExplainedFile:
        """Analyse a video, or still frames."""


class LocalAnalyser(Analyser):
    """Analyses files with a pack of models, and decodes WebP and video in isolated processes."""

    def __init__(
        self,
        *,
        pack: Pack,
        policy: LivenessPolicy,
        subject: SubjectRule,
        mode: AnalysisDepth,
        keeps_studies: bool,
        decoders: DecodersOnDemand,
    ) -> None:
        """Load the model files of the packages.

        Args:
            subject: Defines which faces of a video's frame count as persons.
            keeps_studies: Whether the material of an analysis is returned; it is large.
        """
        self._mode: AnalysisMode = image_mode(_MODES[mode])
        self._keeps_studies = keeps_studies
        self._thresholds = Thresholds(
            spoof=policy.spoof_threshold / _PERCENT, live=policy.live_threshold / _PERCENT
        )
        fusion = load_fusion_model()
        self._images = ImageAnalyst(
            pack=pack,
            selfie_settings=SelfieSettings(),
            selfie_model=load_selfie_model(),
            fusion=fusion,
            policy=policy,
            subject=PHOTO_SUBJECT,
            still_decoder=decoders,
        )
        self._videos = VideoAnalyst(
            pack=pack,
            fusion=fusion,
            policy=policy,
            subject=subject,
            video_decoder=decoders,
            still_decoder=decoders,
        )

    def _analyse_image(self, blank: FileReport, content: bytes) -> ExplainedFile:
        analysis = self._images.analyse(content, mode=self._mode)
        study = analysis.study
        facts = {"format": analysis.header.format.name}
        if study is not None:
            facts["size"] = f"{study.pixels.shape[1]} x {study.pixels.shape[0]} pixels"
            if study.faces:
                facts["face"] = f"{study.faces[0].box.width:.0f} pixels wide"
        response = image_to_wire(
            analysis, request_id=blank.request_id, now=datetime.now(UTC), pack=result_pb2.PackReference()
        )
        finding = _of_image(blank, response, facts=facts, thresholds=self._thresholds)
        if not self._keeps_studies:
            return ExplainedFile(finding=finding)
        return ExplainedFile(finding=finding, image=study, exif=read_exif_tags(content))

    def _analyse_video(self, blank: FileReport, content: bytes | list[bytes]) -> ExplainedFile:
        if isinstance(content, bytes):
            analysis = self._videos.analyse_video(content)
        else:
            analysis = self._videos.analyse_frames(content)
        response = video_to_wire(
            analysis,
            inference_id=video_inference_id(),
            created=blank.started,
            completed=datetime.now(UTC),
            pack=result_pb2.PackReference(),
        )
        facts = _video_facts(analysis.source)
        finding = _of_video(blank, response, facts=facts, thresholds=self._thresholds)
        return ExplainedFile(finding=finding, video=analysis.study if self._keeps_studies else None)


@dataclass(frozen=True, slots=True)
class RemoteAnalyser(Analyser):
    """Lets a server analyse files, through the public client. Each file has a connection of its own."""

    connection: Connection
    mode: AnalysisDepth

    def _analyse_image(self, blank: FileReport, content: bytes) -> ExplainedFile:
        mode = _MODES[self.mode]
        response = self._ask(lambda client: client.analyze_image(content, mode=mode))
        facts = _pack_facts(response.pack) if response.HasField("result") else {}
        return ExplainedFile(finding=_of_image(blank, response, facts=facts, thresholds=None))

    def _analyse_video(self, blank: FileReport, content: bytes | list[bytes]) -> ExplainedFile:
        response = self._ask(
            lambda client: (
                client.analyze_video(content)
                if isinstance(content, bytes)
                else client.analyze_frames(content)
            )
        )
        video = response.video
        blank = replace(blank, started=response.created_at.ToDatetime(UTC))
        facts = {"container": video.media_type} if video.media_type else {}
        facts["frames"] = f"{video.frames} analysed, {video.usable_frames} with exactly one face"
        facts |= _pack_facts(response.pack)
        return ExplainedFile(finding=_of_video(blank, response, facts=facts, thresholds=None))

    def _ask(self, call: Callable[[AnalysisClient], Coroutine[Any, Any, _Answer]]) -> _Answer:
        async def answer() -> _Answer:
            async with self.connection.open() as (channel, key):
                return await call(AnalysisClient(channel=channel, api_key=key))

        try:
            return asyncio.run(answer())
        except ConnectionFailedError as error:
            told = describe_lost_connection(error, on_loopback=is_loopback(self.connection.service))
            raise CommandError(_in_one_line(told)) from error


def read_media(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file: at most ``most_bytes + 1`` bytes, one more if it is too long."""
    name = shown_name(path)
    try:
        return read_regular(path, most_bytes=most_bytes)
    except IsADirectoryError as error:
        raise FileUnusable(f"{name} is a folder: give the files in it, such as {name}/*.jpg") from error
    except NotRegular as error:
        raise FileUnusable(f"{name} is not a regular file: give a file with an image or a video") from error
    except FileNotFoundError as error:
        raise FileUnusable(f"{name} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a valid path"
        raise FileUnusable(f"{name} cannot be read: {why}") from error


def kind_of(content: bytes) -> FileKind | None:
    """Return whether the content is an image or a video, by its first bytes; None if it is neither.

    A container that is not a video of a supported format, such as a RIFF file with sound, counts
    as a video: the decoder gives the better error message.
    """
    if detect_format(content) is not None:
        return FileKind.IMAGE
    if detect_container(content) is not None or content[:4] in {_EBML, _RIFF}:
        return FileKind.VIDEO
    return None


def unreadable(content: bytes, kind: FileKind | None) -> Problem | None:
    """Return the problem of a file that is neither image nor video; None if it is one of them."""
    if kind is not None:
        return None
    if not content:
        return Problem(_INVALID_REQUEST, "The file is empty: give a file with an image or a video.")
    foreign = recognise_foreign(content)
    if foreign is not None:
        return Problem(
            _INVALID_REQUEST,
            f"The file is {foreign.what}. An image (JPEG, PNG, WebP, BMP) or a video (MP4, MOV, AVI, WebM, "
            f"MKV) is needed: {foreign.instead}.",
        )
    return Problem(
        _INVALID_REQUEST,
        "The content of the file is neither an image (JPEG, PNG, WebP, BMP) nor a video (MP4, MOV, AVI, "
        "WebM, MKV): export or record it again as one of these.",
    )


def _problem(error: CallRefusedError | FileUnusable | Refusal | VisionError) -> Problem:
    """Return the problem of the file."""
    if isinstance(error, CallRefusedError):
        refusal = error.refusal
        if (code := refusal.metadata.get("code")) is None:
            raise CommandError(_in_one_line(describe_refusal(refusal))) from None
        return Problem(code, refusal.message, reason=refusal.reason)
    if isinstance(error, Refusal):
        code = str(error.details.get("code", AnalysisCode.INFERENCE_ERROR.value))
        return Problem(code, str(error), reason=error.reason.value)
    if isinstance(error, FileUnusable):
        return Problem(_INVALID_REQUEST, str(error))
    return Problem(AnalysisCode.INFERENCE_ERROR.value, str(error))


def _in_one_line(text: str) -> str:
    """The command escapes line breaks, because a file's name can contain some."""
    return ". ".join(line.strip().removesuffix(".") for line in text.splitlines()) + "."


def _of_image(
    blank: FileReport,
    response: analysis_service_pb2.AnalyzeImageResponse,
    *,
    facts: Mapping[str, str],
    thresholds: Thresholds | None,
) -> FileReport:
    """Raise CommandError if the response breaks the contract."""
    blank = replace(
        blank, request_id=response.request_id, finished=response.timestamp.ToDatetime(UTC), facts=facts
    )
    if not response.HasField("result"):
        return replace(blank, problem=Problem(response.error.code, response.error.message))
    result = response.result
    selfie = FileVerdict(
        verdict=_verdict(result.verdict),
        confidence=result.confidence,
        thresholds=Thresholds(
            spoof=result.threshold - INCONCLUSIVE_MARGIN,
            live=result.threshold + INCONCLUSIVE_MARGIN,
            stated=result.threshold,
        ),
        signals=tuple(_signal(each, score=each.score, passed=each.passed) for each in result.signals),
    )
    return replace(
        blank,
        selfie=selfie,
        face_detected=result.face_detected,
        fusion=_of_liveness(response.full.liveness, thresholds) if response.HasField("full") else None,
        assessment=response.assessment,
    )


def _of_video(
    blank: FileReport,
    response: analysis_service_pb2.AnalyzeVideoResponse,
    *,
    facts: Mapping[str, str],
    thresholds: Thresholds | None,
) -> FileReport:
    """Raise CommandError if the response breaks the contract."""
    video = response.video
    return replace(
        blank,
        request_id=response.inference_id,
        finished=response.completed_at.ToDatetime(UTC),
        fusion=_of_liveness(response.liveness, thresholds),
        face_detected=True,
        facts=facts,
        assessment=response.assessment,
        values={
            "media_type": video.media_type,
            "frames": video.frames,
            "usable_frames": video.usable_frames,
            "seconds": video.seconds if video.HasField("seconds") else None,
            "other_size_frames": video.other_size_frames,
            "complete": video.complete,
            "repeated_frames": video.repeated_frames,
        },
    )


def _of_liveness(result: result_pb2.LivenessResult, thresholds: Thresholds | None) -> FileVerdict:
    word = enum_word(result, "attack_type")
    try:
        kind = AttackType(word)
    except ValueError as error:
        raise CommandError(
            "the server's response has an attack type that this version does not know"
        ) from error
    return FileVerdict(
        verdict=_verdict(enum_word(result, "verdict")),
        confidence=result.confidence / _PERCENT,
        thresholds=thresholds,
        signals=tuple(
            _signal(
                each,
                score=each.score if each.HasField("score") else None,
                passed=each.passed if each.HasField("passed") else None,
            )
            for each in result.signals
        ),
        attack=Attack(
            number=ATTACK_CODES[kind],
            name=kind.value.lower(),
            confidence=result.attack_type_confidence / _PERCENT,
        ),
        explanations=tuple(result.explanations),
    )


def _signal(
    each: analysis_service_pb2.SelfieSignal | result_pb2.Signal, *, score: float | None, passed: bool | None
) -> Signal:
    return Signal(
        name=each.name,
        label=each.label,
        score=score,
        weight=each.weight,
        passed=passed,
        detail=each.detail,
    )


def _verdict(word: str) -> Verdict:
    try:
        return Verdict(word)
    except ValueError as error:
        raise CommandError("the server's response has a verdict that this version does not know") from error


def _pack_facts(pack: result_pb2.PackReference) -> dict[str, str]:
    return {"pack of the server": f"{pack.name} {pack.version}"}


def _video_facts(source: VideoSource) -> dict[str, str]:
    facts = {} if source.container is None else {"container": source.container.name}
    facts["frames"] = f"{source.frames} analysed, {source.usable} with exactly one face"
    if source.seconds is not None:
        facts["length"] = f"{source.seconds:.1f} s"
    if source.other_size:
        facts["omitted"] = f"{source.other_size} frames of another size"
    if source.repeated:
        facts["repeated"] = f"{source.repeated} frames, omitted"
    if not source.complete:
        facts["file"] = "truncated; the frames are those before the end of the data"
    return facts
