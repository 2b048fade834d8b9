"""Runs every scorer on every image, and on every scan of every clip.

The scorers are each PAD network, the cues, the fusion that decides, and the eight signals of a selfie with
their weighted sum, as ``AnalyzeImage`` has them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from formats.picture_metadata import read_exif_tags
from lab.evaluation.match.photos import read_picture
from lab.evaluation.pad.dataset import PadSample
from lab.evaluation.pad.evidence import ClipEvidence, JudgedParts, PictureEvidence, PresentationEvidence
from lab.evaluation.pad.runs import NonResponse, ScorerAnswer, ScorerKind, ScorerName, ScoreRun, collect_run
from lab.evaluation.scans import clip_scans
from liveness import FusionModel
from liveness.selfie import SelfieSettings, judge_selfie, load_selfie_model
from matcher import SubjectRule
from vision.errors import DecoderUnavailable, ImageError, ModelFailed
from vision.image import StillDecoder
from vision.packs import Pack, PadNetwork


class SelfieScorer:
    """Judges images only, because the frames of a clip have no metadata."""

    def __init__(self) -> None:
        """Make a scorer with the shipped weights and settings."""
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


class Scorer(Protocol):
    """Judges presentations."""

    @property
    def name(self) -> ScorerName:
        """Name of the scorer."""
        ...

    def answer(self, evidence: PresentationEvidence) -> ScorerAnswer:
        """Judge one presentation.

        Raises:
            ModelFailed: A model could not process it.
        """
        ...


def picture_scorers(
    pack: Pack, *, extra: Sequence[PadNetwork] = (), fusion: FusionModel
) -> tuple[Scorer, ...]:
    """Make the scorers of single images: parts first, the fusion last.

    Args:
        extra: Networks that are measured alone and take no part in the fusion.
    """
    return (
        *(_Network(network, ScorerKind.NETWORK) for network in pack.pad_networks),
        *(_Network(network, ScorerKind.OTHER_NETWORK) for network in _beyond(pack, extra)),
        SelfieScorer(),
        _Judge(ScorerName("cues of one frame", ScorerKind.CUES), pack, fusion, cues=True),
        _Judge(ScorerName("fusion, one frame", ScorerKind.FUSION), pack, fusion, networks=True, cues=True),
    )


def clip_scorers(pack: Pack, *, extra: Sequence[PadNetwork] = (), fusion: FusionModel) -> tuple[Scorer, ...]:
    """Make the scorers of clips: parts first, the fusion last.

    Args:
        extra: Networks that are measured alone and take no part in the fusion.
    """
    return (
        *(_Network(network, ScorerKind.NETWORK) for network in pack.pad_networks),
        *(_Network(network, ScorerKind.OTHER_NETWORK) for network in _beyond(pack, extra)),
        _Judge(ScorerName("temporal cues", ScorerKind.TEMPORAL), pack, fusion),
        _Judge(ScorerName("fusion", ScorerKind.FUSION), pack, fusion, networks=True, cues=True),
    )


def _beyond(pack: Pack, extra: Sequence[PadNetwork]) -> list[PadNetwork]:
    """Return the extra networks that the pack does not have itself."""
    own = {network.name for network in pack.pad_networks}
    return [network for network in extra if network.name not in own]


class _Network:
    """Scores by the median of a network's probabilities over its frames."""

    def __init__(self, network: PadNetwork, kind: ScorerKind) -> None:
        self._network = network
        self.name = ScorerName(network.name, kind)

    def answer(self, evidence: PresentationEvidence) -> ScorerAnswer:
        scores = evidence.network_scores(self._network)
        if not scores:
            return ScorerAnswer(None, no_face(evidence))
        return ScorerAnswer(float(np.median([score.real_probability for score in scores])))


class _Judge:
    """Scores by the verdict of the product, on some or all of the evidence."""

    def __init__(
        self,
        name: ScorerName,
        pack: Pack,
        fusion: FusionModel,
        *,
        networks: bool = False,
        cues: bool = False,
    ) -> None:
        self.name = name
        self._networks = pack.pad_networks if networks else ()
        self._cues = cues
        self._fusion = fusion

    def answer(self, evidence: PresentationEvidence) -> ScorerAnswer:
        if not evidence.found:
            return ScorerAnswer(None, no_face(evidence))
        scores = [score for network in self._networks for score in evidence.network_scores(network)]
        cues = evidence.cues() if self._cues else ()
        result = evidence.judge(
            JudgedParts(pad_scores=scores, cues=cues, fusion=self._fusion), step=f"judge for {self.name.name}"
        )
        if not any(signal.weight > 0 for signal in result.signals):
            return ScorerAnswer(None, NonResponse.NOT_ASSESSED)
        return ScorerAnswer(
            result.score / 100.0,
            verdict=result.verdict,
            parts={signal.name: signal.score for signal in result.signals if signal.score is not None},
        )


def no_face(evidence: PresentationEvidence) -> NonResponse:
    """Return why there was nothing to judge."""
    picture = isinstance(evidence, PictureEvidence)
    return NonResponse.NO_FACE if picture else NonResponse.TOO_FEW_FRAMES


def score_pictures(
    samples: Sequence[PadSample],
    *,
    pack: Pack,
    subject: SubjectRule,
    scorers: Sequence[Scorer],
    still_decoder: StillDecoder | None = None,
    report: Callable[[], None] = lambda: None,
) -> tuple[ScoreRun, ...]:
    """Compute every scorer's answer to every image.

    Args:
        scorers: The scorers, which take turns at each image, so that a slow phase of the machine affects all.
        still_decoder: Decodes JPEG 2000 and WebP; without it such files are non-responses.
        report: Called after each image.

    Returns:
        For each scorer, in their order.
    """
    table = _Table(scorers)
    for sample in samples:
        try:
            image = read_picture(sample.path, still_decoder=still_decoder)
        except (OSError, ImageError, DecoderUnavailable):
            table.add(sample, None)
        else:
            table.add(sample, PictureEvidence(path=sample.path, image=image, pack=pack, subject=subject))
        report()
    return table.runs()


def score_clips(
    samples: Sequence[PadSample],
    *,
    pack: Pack,
    subject: SubjectRule,
    scorers: Sequence[Scorer],
    report: Callable[[], None] = lambda: None,
) -> tuple[ScoreRun, ...]:
    """Compute every scorer's answer to every scan of every clip.

    A clip is cut into at most four scans of four seconds, each as a phone sends it.

    Args:
        scorers: The scorers, which take turns at each scan.
        report: Called after each clip.

    Returns:
        For each scorer, in their order; a clip that cannot be read is one non-response.
    """
    table = _Table(scorers)
    for sample in samples:
        readable = False
        for frames in clip_scans(sample.path):
            readable = True
            table.add(sample, ClipEvidence(frames=frames, pack=pack, subject=subject))
        if not readable:
            table.add(sample, None)
        report()
    return table.runs()


class _Table:
    """The answers so far."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self._scorers = scorers
        self._samples: list[PadSample] = []
        self._answers: list[list[ScorerAnswer]] = [[] for _ in scorers]
        self._spent: list[list[float]] = [[] for _ in scorers]

    def add(self, sample: PadSample, evidence: PresentationEvidence | None) -> None:
        """Add the answers to one presentation; None if it could not be read."""
        self._samples.append(sample)
        for scorer, answers, spent in zip(self._scorers, self._answers, self._spent, strict=True):
            if evidence is None:
                answers.append(ScorerAnswer(None, NonResponse.UNREADABLE))
                spent.append(0.0)
                continue
            evidence.stages.begin()
            try:
                answers.append(scorer.answer(evidence))
            except ModelFailed:
                answers.append(ScorerAnswer(None, NonResponse.MODEL_FAILED))
            spent.append(evidence.stages.milliseconds())

    def runs(self) -> tuple[ScoreRun, ...]:
        """Return the run of each scorer."""
        return tuple(
            collect_run(scorer.name, self._samples, answers, spent)
            for scorer, answers, spent in zip(self._scorers, self._answers, self._spent, strict=True)
        )
