"""Runs every scorer on every image, and on every scan of every clip."""

from collections.abc import Callable, Sequence

from evaluation.match.pictures import read_picture
from evaluation.pad.dataset import PadSample
from evaluation.pad.evidence import ClipEvidence, PictureEvidence, PresentationEvidence
from evaluation.pad.runs import NonResponse, ScorerAnswer, ScoreRun, collect_run
from evaluation.pad.scorers import Scorer
from evaluation.scans import clip_scans
from matcher import SubjectRule
from vision.errors import DecoderUnavailable, ImageError, ModelFailed
from vision.image import StillDecoder
from vision.packs import Pack

__all__ = ["score_clips", "score_pictures"]


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
        samples: Images.
        pack: Finds the faces.
        subject: Defines the subject of an image.
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
            table.add(sample, PictureEvidence(sample.path, image, pack, subject=subject))
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
        samples: Clips.
        pack: Finds the faces.
        subject: Defines which faces of a frame count as persons.
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
            table.add(sample, ClipEvidence(frames, pack, subject=subject))
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
