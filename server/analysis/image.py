"""Analyses one selfie: eight signals, and in mode FULL also the verdict of the fusion model."""

from dataclasses import dataclass, replace

from attempt import judge_still, landmarks_of, measure_still, persons_in
from formats.exif import ExifTags
from formats.picture_metadata import read_exif_tags
from liveness import DoubtTerms, FusionModel, LivenessPolicy, LivenessResult
from liveness.express import PadScore
from liveness.selfie import INCONCLUSIVE_MARGIN, SelfieModel, SelfieSettings, judge_selfie
from matcher import SubjectRule, faces_in_words
from server.analysis.assessment import Assessment, assessment_of
from server.analysis.results import AnalysisCode, AnalysisMode, AnalysisProblem, ImageAnalysis, ImageStudy
from server.analysis.stills import SELFIE_LIMITS, decode_still
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.image import DecodedImage, DecodeLimits, StillDecoder
from vision.packs import Pack

_NO_FACE = (
    "No face was found. The person may be too far away, hidden or in the dark: take the photo closer and in "
    "better light."
)
_FAILED = "A model could not process the image. Send it again; if that does not help, contact the operator."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnalyst:
    """Analyses selfies. Thread-safe; keeps no data of a selfie.

    Attributes:
        selfie_settings: The parameters of the eight signals.
        selfie_model: The weights of the eight signals.
        fusion: The fusion model, which judges in mode FULL.
        policy: The thresholds of the fusion model; its kind of capture is replaced by FRAME.
        subject: Defines which faces count as persons.
        still_decoder: Decodes WebP in isolation; without it, WebP is refused.
    """

    pack: Pack
    selfie_settings: SelfieSettings
    selfie_model: SelfieModel
    fusion: FusionModel
    policy: LivenessPolicy
    subject: SubjectRule
    still_decoder: StillDecoder | None = None
    limits: DecodeLimits = SELFIE_LIMITS

    def analyse(self, content: bytes, *, mode: AnalysisMode) -> ImageAnalysis:
        """Analyse one selfie.

        Args:
            content: The bytes of the file: JPEG, PNG, WebP or BMP.

        Raises:
            AnalysisRefused: The file cannot be used (INVALID_REQUEST).
            Refusal: No decoder is free (OVERLOADED).
        """
        decoded = decode_still(content, limits=self.limits, still_decoder=self.still_decoder)
        try:
            return self._judged(decoded, read_exif_tags(content), mode)
        except ModelFailed as error:
            problem = AnalysisProblem(AnalysisCode.INFERENCE_ERROR, _FAILED)
            return ImageAnalysis(header=decoded.header, selfie=None, problem=problem, failure=error)

    def _judged(self, decoded: DecodedImage, exif: ExifTags, mode: AnalysisMode) -> ImageAnalysis:
        pixels, pack = decoded.pixels, self.pack
        faces = persons_in(pixels, pack, rule=self.subject)
        if len(faces) > 1:
            return _without_verdict(decoded, ImageStudy(pixels=pixels, faces=faces), _several(faces, pixels))
        face = faces[0] if faces else None
        landmarks = None if face is None else landmarks_of(pixels, face, pack)
        study = ImageStudy(pixels=pixels, faces=faces, landmarks=landmarks)
        selfie = judge_selfie(
            image=pixels,
            face=face,
            landmarks=landmarks,
            exif=exif,
            settings=self.selfie_settings,
            model=self.selfie_model,
        )
        if not selfie.face_detected:
            return _without_verdict(decoded, study, AnalysisProblem(AnalysisCode.NO_FACE_DETECTED, _NO_FACE))
        full = None
        if mode is AnalysisMode.FULL:
            full, study = self._fused(study)
        # The sum rests on the eight signals alone, whatever else was assessed.
        sum_alone = self._assessment((), cues=False)
        assessment = sum_alone if full is None else self._assessment(study.pad_scores, cues=True)
        return ImageAnalysis(
            header=decoded.header,
            selfie=sum_alone.bounded_sum(selfie, live=selfie.threshold + INCONCLUSIVE_MARGIN),
            problem=None,
            full=None if full is None else assessment.bounded(full),
            study=study,
            assessment=assessment,
        )

    def _assessment(self, scores: tuple[PadScore, ...], *, cues: bool) -> Assessment:
        return assessment_of(pack=self.pack, pad_scores=scores, signals=(), one_person=None, cues=cues)

    def _fused(self, study: ImageStudy) -> tuple[LivenessResult, ImageStudy]:
        face, landmarks = study.faces[0], study.landmarks
        measured = measure_still(study.pixels, face, landmarks=landmarks, pack=self.pack)
        # No challenge can follow, so doubt is INCONCLUSIVE. A pack for evaluation is never beyond it.
        doubt = None if self.pack.evaluation_only else DoubtTerms()
        result = judge_still(measured, policy=self.policy, fusion=self.fusion, doubt=doubt)
        return result, replace(study, pad_scores=tuple(measured.pad_scores), cues=tuple(measured.cues))


def _without_verdict(decoded: DecodedImage, study: ImageStudy, problem: AnalysisProblem) -> ImageAnalysis:
    return ImageAnalysis(header=decoded.header, selfie=None, problem=problem, study=study)


def _several(faces: tuple[DetectedFace, ...], pixels: BgrImage) -> AnalysisProblem:
    words = faces_in_words(faces, size=(pixels.shape[1], pixels.shape[0]))
    return AnalysisProblem(
        AnalysisCode.MULTIPLE_FACES_DETECTED,
        f"{len(faces)} faces were found: {words}. Send an image that shows one person alone.",
    )
