"""Scores by the eight signals of a selfie and their weighted sum, as ``AnalyzeImage`` does."""

from evaluation.pad.evidence import PictureEvidence, PresentationEvidence
from evaluation.pad.runs import NonResponse, ScorerAnswer, ScorerKind, ScorerName
from formats.picture_metadata import read_exif_tags
from liveness.selfie import SelfieSettings, judge_selfie, load_selfie_model

__all__ = ["SelfieScorer"]


class SelfieScorer:
    """Judges images only, because the frames of a clip have no metadata."""

    def __init__(self) -> None:
        """Makes a scorer with the shipped weights and settings."""
        self.name = ScorerName("eight signals", ScorerKind.SIGNALS)
        self._settings = SelfieSettings()
        self._model = load_selfie_model()

    def answer(self, evidence: PresentationEvidence) -> ScorerAnswer:
        """Return the confidence and the verdict of the weighted sum.

        Raises:
            ModelFailed: The detector or the landmarker could not process the image.
        """
        if not isinstance(evidence, PictureEvidence):
            return ScorerAnswer(None, NonResponse.NOT_ASSESSED)
        face, landmarks = evidence.face, evidence.landmarks
        if face is None:
            return ScorerAnswer(None, NonResponse.NO_FACE)
        content = evidence.content()
        result = evidence.stages.once(
            "eight signals",
            lambda: judge_selfie(
                image=evidence.image,
                face=face,
                landmarks=landmarks,
                exif=read_exif_tags(content),
                settings=self._settings,
                model=self._model,
            ),
        )
        if not result.face_detected:
            return ScorerAnswer(None, NonResponse.NO_FACE)
        return ScorerAnswer(
            result.confidence,
            verdict=result.verdict,
            parts={
                signal.name: signal.score
                for signal in result.signals
                if signal.score is not None and signal.name not in result.not_assessed
            },
        )
