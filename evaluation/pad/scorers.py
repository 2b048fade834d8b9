"""The scorers: each PAD network, the cues, and the fusion that decides."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from evaluation.pad.evidence import JudgedParts, PictureEvidence, PresentationEvidence
from evaluation.pad.runs import NonResponse, ScorerAnswer, ScorerKind, ScorerName
from evaluation.pad.selfie_scorer import SelfieScorer
from liveness import FusionModel
from vision.packs import Pack, PadNetwork

__all__ = ["Scorer", "clip_scorers", "picture_scorers"]


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
        pack: Its networks, each alone and in the fusion.
        extra: Networks that are measured alone and take no part in the fusion.
        fusion: The liveness model.
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
        pack: Its networks, each alone and in the fusion.
        extra: Networks that are measured alone and take no part in the fusion.
        fusion: The liveness model.
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
