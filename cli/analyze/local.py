"""Analyses in this process, with the same core as the server's AnalysisService."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cli.analyze.analyser import INVALID_REQUEST, unreadable
from cli.analyze.decoders import DecodersOnDemand
from cli.analyze.explained import ExplainedFile
from cli.analyze.files import read_media
from cli.analyze.finding import Attack, FileKind, FileReport, FileVerdict, Problem, Thresholds, blank_finding
from cli.analyze.kinds import kind_of
from cli.analyze.options import AnalysisDepth
from cli.errors import FileUnusable
from facegate_protocol.texts import VERDICTS
from formats.picture_metadata import read_exif_tags
from liveness import LivenessPolicy, LivenessResult, load_fusion_model
from liveness.selfie import INCONCLUSIVE_MARGIN, SelfieResult, SelfieSettings, load_selfie_model
from matcher import PHOTO_SUBJECT, SubjectRule
from server.analysis.image import ImageAnalyst
from server.analysis.results import (
    ATTACK_CODES,
    AnalysisCode,
    AnalysisMode,
    ImageAnalysis,
    VideoAnalysis,
    VideoSource,
    video_inference_id,
)
from server.analysis.stills import FRAME_LIMITS
from server.analysis.video import VideoAnalyst
from server.base.errors import Refusal
from vision.errors import VisionError
from vision.packs import Pack

__all__ = ["LocalAnalyser"]

_PERCENT: Final = 100.0
_MODES: Final = {AnalysisDepth.BASIC: AnalysisMode.BASIC, AnalysisDepth.FULL: AnalysisMode.FULL}


class LocalAnalyser:
    """Analyses files with a pack of models; see ``cli.analyze.analyser.Analyser``."""

    def __init__(
        self,
        *,
        pack: Pack,
        policy: LivenessPolicy,
        subject: SubjectRule,
        mode: AnalysisDepth,
        keeps_studies: bool,
        on_frame: Callable[[float], None],
    ) -> None:
        """Loads the model files of the packages. Decoders start when they are needed.

        Args:
            pack: The models.
            policy: Thresholds of the fusion.
            subject: Defines which faces of a video's frame count as persons.
            mode: Depth of the analysis of an image.
            keeps_studies: Whether the material of an analysis is returned; it is large.
            on_frame: Receives the time of each frame of a video, in seconds, before the frame is analysed.
        """
        self._policy = policy
        self._mode = _MODES[mode]
        self._keeps_studies = keeps_studies
        self._decoders = DecodersOnDemand(on_frame=on_frame)
        fusion = load_fusion_model()
        self._images = ImageAnalyst(
            pack=pack,
            selfie_settings=SelfieSettings(),
            selfie_model=load_selfie_model(),
            fusion=fusion,
            policy=policy,
            subject=PHOTO_SUBJECT,
            still_decoder=self._decoders,
        )
        self._videos = VideoAnalyst(
            pack=pack,
            fusion=fusion,
            policy=policy,
            subject=subject,
            video_decoder=self._decoders,
            still_decoder=self._decoders,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the decoders."""
        self._decoders.__exit__(kind, error, trace)

    def analyse(self, file: Path) -> ExplainedFile:
        """See ``Analyser.analyse``."""
        blank = blank_finding((file,))
        try:
            content = read_media(file)
            kind = kind_of(content)
            problem = unreadable(content, kind)
            if problem is not None:
                return _closed(replace(blank, problem=problem))
            blank = replace(blank, kind=kind)
            if kind is FileKind.VIDEO:
                return self._video(blank, self._videos.analyse_video(content))
            return self._image(blank, self._images.analyse(content, mode=self._mode), content)
        except (FileUnusable, Refusal, VisionError) as error:
            return _closed(replace(blank, problem=_problem(error)))

    def analyse_stills(self, files: Sequence[Path]) -> ExplainedFile:
        """See ``Analyser.analyse_stills``."""
        blank = replace(blank_finding(tuple(files)), kind=FileKind.STILLS)
        try:
            return self._video(
                blank,
                self._videos.analyse_frames([read_media(file, FRAME_LIMITS.max_bytes) for file in files]),
            )
        except (FileUnusable, Refusal, VisionError) as error:
            return _closed(replace(blank, problem=_problem(error)))

    def _image(self, blank: FileReport, analysis: ImageAnalysis, content: bytes) -> ExplainedFile:
        study, problem, selfie = analysis.study, analysis.problem, analysis.selfie
        facts = {"format": analysis.header.format.name}
        if study is not None:
            facts["size"] = f"{study.pixels.shape[1]} x {study.pixels.shape[0]} pixels"
            if study.faces:
                facts["face"] = f"{study.faces[0].box.width:.0f} pixels wide"
        finding = replace(
            blank,
            facts=facts,
            problem=None if problem is None else Problem(problem.code.value, problem.message),
            selfie=None if selfie is None else _of_selfie(selfie),
            face_detected=selfie is not None and selfie.face_detected,
            fusion=None if analysis.full is None else self._of_fusion(analysis.full),
            assessment=analysis.scope,
        )
        return _closed(
            finding,
            ExplainedFile(finding=finding, image=study, exif=read_exif_tags(content))
            if self._keeps_studies
            else None,
        )

    def _video(self, blank: FileReport, analysis: VideoAnalysis) -> ExplainedFile:
        inference_id = video_inference_id(secrets.token_bytes)
        finding = replace(
            blank,
            request_id=inference_id,
            inference_id=inference_id,
            face_detected=True,
            facts=_video_facts(analysis.source),
            values=_video_values(analysis.source),
            fusion=self._of_fusion(analysis.liveness),
            assessment=analysis.scope,
        )
        return _closed(
            finding, ExplainedFile(finding=finding, video=analysis.study) if self._keeps_studies else None
        )

    def _of_fusion(self, result: LivenessResult) -> FileVerdict:
        return FileVerdict(
            verdict=result.verdict,
            confidence=result.confidence / _PERCENT,
            thresholds=Thresholds(
                spoof=self._policy.spoof_threshold / _PERCENT, live=self._policy.live_threshold / _PERCENT
            ),
            signals=result.signals,
            attack=Attack(
                number=ATTACK_CODES[result.attack_type],
                name=result.attack_type.value.lower(),
                confidence=result.attack_type_confidence / _PERCENT,
            ),
            explanations=tuple(VERDICTS[reason] for reason in result.reasons),
        )


def _of_selfie(result: SelfieResult) -> FileVerdict:
    return FileVerdict(
        verdict=result.verdict,
        confidence=result.confidence,
        thresholds=Thresholds(
            spoof=result.threshold - INCONCLUSIVE_MARGIN,
            live=result.threshold + INCONCLUSIVE_MARGIN,
            stated=result.threshold,
        ),
        signals=result.signals,
    )


def _closed(finding: FileReport, explained: ExplainedFile | None = None) -> ExplainedFile:
    ended = replace(finding, finished=datetime.now(UTC))
    return ExplainedFile(finding=ended) if explained is None else replace(explained, finding=ended)


def _problem(error: FileUnusable | Refusal | VisionError) -> Problem:
    if isinstance(error, Refusal):
        code = str(error.details.get("code", AnalysisCode.INFERENCE_ERROR.value))
        return Problem(code, str(error), reason=error.reason.value)
    if isinstance(error, FileUnusable):
        return Problem(INVALID_REQUEST, str(error))
    return Problem(AnalysisCode.INFERENCE_ERROR.value, str(error))


def _video_facts(source: VideoSource) -> dict[str, str]:
    facts = {"frames": f"{source.frames} analysed, {source.usable} with exactly one face"}
    if source.container is not None:
        facts = {"container": source.container.name} | facts
    if source.seconds is not None:
        facts["length"] = f"{source.seconds:.1f} s"
    if source.other_size:
        facts["omitted"] = f"{source.other_size} frames of another size"
    if source.repeated:
        facts["repeated"] = f"{source.repeated} frames, omitted"
    if not source.complete:
        facts["file"] = "truncated; the frames are those before the end of the data"
    return facts


def _video_values(source: VideoSource) -> dict[str, object]:
    return {
        "media_type": "" if source.container is None else source.container.value,
        "frames": source.frames,
        "usable_frames": source.usable,
        "seconds": source.seconds,
        "other_size_frames": source.other_size,
        "complete": source.complete,
        "repeated_frames": source.repeated,
    }
