"""Collects the scores and refusals that each scorer gives for the presentations of a data set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.pad.dataset import INJECTED, PadSample
from liveness import Verdict

_NO_PARTS: Final[Mapping[str, float]] = MappingProxyType({})


class NonResponse(StrEnum):
    """Why a scorer gave no score (APNRR, BPNRR); the values are words for people."""

    UNREADABLE = "unreadable file"
    NO_FACE = "no face"
    TOO_FEW_FRAMES = "too few frames with a face"
    MODEL_FAILED = "a model failed"
    NOT_ASSESSED = "could not be assessed"


class ScorerKind(StrEnum):
    """The kinds of scorers."""

    NETWORK = "PAD network"
    OTHER_NETWORK = "PAD network that the pack does not have"
    SIGNALS = "eight signals"
    CUES = "cues of one frame"
    TEMPORAL = "temporal cues"
    FUSION = "fusion"


@dataclass(frozen=True, slots=True)
class ScorerName:
    """Identifies a scorer: a PAD network, a set of signals or the whole fusion.

    Attributes:
        name: Its name in tables, unique within a run.
        kind: Its kind, by which tables group scorers.
    """

    name: str
    kind: ScorerKind


@dataclass(frozen=True, slots=True)
class ScorerAnswer:
    """The answer of one scorer to one presentation.

    Attributes:
        score: Higher is more live; None without a response.
        fault: Why there is no score.
        verdict: Its verdict, if it decides.
    """

    score: float | None
    fault: NonResponse | None = None
    verdict: Verdict | None = None
    parts: Mapping[str, float] = field(default_factory=lambda: _NO_PARTS)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRun:
    """The answers of one scorer to all presentations of a set.

    Attributes:
        samples: The presentations; a clip is listed once for each of its scans.
        scores: Shape (n,); NaN without a response.
        faults: Why there is no score, by position.
        milliseconds: CPU time of each response, from the decoded image or frames to the score, one core.
        verdicts: Verdicts by position; empty if the scorer does not decide.
        parts: Shape (n,) each, by the signal's name; NaN if it could not be assessed.
    """

    scorer: ScorerName
    samples: tuple[PadSample, ...]
    scores: NDArray[np.float64]
    faults: Mapping[int, NonResponse]
    milliseconds: tuple[float, ...]
    verdicts: Mapping[int, Verdict]
    parts: Mapping[str, NDArray[np.float64]]

    @property
    def live(self) -> NDArray[np.bool_]:
        """Shape (n,): which presentations are bona fide."""
        return np.array([sample.live for sample in self.samples], dtype=np.bool_)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Shape (n,): which presentations have a score."""
        answered: NDArray[np.bool_] = ~np.isnan(self.scores)
        return answered

    @property
    def fault_counts(self) -> Mapping[NonResponse, int]:
        """Non-responses by reason."""
        return Counter(self.faults.values())

    def species_masks(self, *, injected: bool) -> dict[str, NDArray[np.bool_]]:
        """Return a mask of shape (n,) for each species, in order of its name.

        Args:
            injected: True for the injected kinds, False for those with an instrument.
        """
        names = np.array([sample.species for sample in self.samples], dtype=object)
        found = sorted({sample.species for sample in self.samples if not sample.live})
        return {name: names == name for name in found if (name in INJECTED) is injected}


def collect_run(
    scorer: ScorerName,
    samples: Sequence[PadSample],
    answers: Sequence[ScorerAnswer],
    milliseconds: Sequence[float],
) -> ScoreRun:
    """Combine the answers of one scorer.

    Args:
        answers: One for each sample.
        milliseconds: CPU time of each answer.
    """
    names = dict.fromkeys(name for answer in answers for name in answer.parts)
    return ScoreRun(
        scorer=scorer,
        samples=tuple(samples),
        scores=np.array([np.nan if each.score is None else each.score for each in answers], dtype=np.float64),
        faults=MappingProxyType(
            {
                at: each.fault or NonResponse.NOT_ASSESSED
                for at, each in enumerate(answers)
                if each.score is None
            }
        ),
        milliseconds=tuple(
            spent for spent, each in zip(milliseconds, answers, strict=True) if each.score is not None
        ),
        verdicts=MappingProxyType(
            {at: each.verdict for at, each in enumerate(answers) if each.verdict is not None}
        ),
        parts=MappingProxyType(
            {name: np.array([each.parts.get(name, np.nan) for each in answers]) for name in names}
        ),
    )
