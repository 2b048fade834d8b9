"""States what an analysis of a file assessed, and limits the confidence of LIVE accordingly.

A file proves less than a check. Nothing here recognises a deepfake or a recording that was injected as a
file: of 11 scans of 4 deepfake files, 10 are LIVE with all three PAD networks
(``left_out_standard_scans`` in ``liveness/fusion_model.toml``, sources left out in turn). The score of a
deepfake is as high as a person's, so a score of 0.99 must not appear as a confidence of 0.99.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from liveness import LivenessResult, Signal, Verdict
from liveness.express import PadScore, life_signs
from liveness.selfie import SelfieResult
from vision.packs import Pack

UNASSESSED: Final = "deepfakes and injected recordings were not assessed"
"""The attacks that no analysis of a file assesses, with any pack."""

_NO_SIGN: Final = "no sign of an attack that this pack can detect"
_WHOLE_SET: Final = 3
"""The networks of a whole pack: MiniFAS v2SE, MiniFASNetV2 and MiniFASNetV1SE."""

_WITH_MOTION: Final = (75.0, 80.0, 90.0)
"""The highest confidence of LIVE over time: without a PAD network, with some, with all three; 0..100. The
last one also requires that it was measured whether one person is shown throughout.

Of recorded screens, 10 of 20 are LIVE without a network, 0 to 2 of 15 to 19 with one, and 0 of 19 with all
three; of deepfakes, 7 to 10 of 11 are LIVE in each case (``left_out_standard_scans``). The bounds are set by
hand: they order the cases, and are no probabilities.
"""

_WITHOUT_MOTION: Final = (70.0, 75.0, 80.0)
"""The same for images, in which no motion is measured: 96 of 540 attacks are LIVE with all three networks, 53
of 540 with MiniFAS v2SE, and the sum of eight signals passes more than half of the prints
(``left_out_standard_stills``; ``docs/analysis.md``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The scope of an analysis of a file: the measurements that it made or lacks.

    Attributes:
        networks: Names of the PAD networks that scored the file, sorted.
        missing: PAD networks that the pack should have and lacks.
        cues: Whether the cues of recapture were measured, or only the eight signals of a selfie.
        motion: Whether motion that can be a sign of life was measured.
        one_person: Whether the measurements show the same person throughout; ``None`` for one image.
    """

    networks: tuple[str, ...]
    missing: tuple[str, ...]
    cues: bool
    motion: bool
    one_person: bool | None

    @property
    def ceiling(self) -> float:
        """The highest confidence of a LIVE verdict, 0..100, unless the threshold of LIVE is higher."""
        bounds = _WITH_MOTION if self.motion else _WITHOUT_MOTION
        if not self.networks:
            return bounds[0]
        whole = len(self.networks) >= _WHOLE_SET and not self.missing and self.one_person is not False
        return bounds[2 if whole else 1]

    def bounded(self, result: LivenessResult) -> LivenessResult:
        """Return the result with the ceiling of this assessment."""
        return replace(result, ceiling=self.ceiling)

    def bounded_sum(self, result: SelfieResult, *, live: float) -> SelfieResult:
        """Return the result of the eight signals; if it is LIVE, with the ceiling of this assessment.

        Args:
            live: The least confidence of LIVE, 0..1.
        """
        if result.verdict is not Verdict.LIVE:
            return result
        return replace(result, confidence=min(result.confidence, max(live, self.ceiling / 100)))

    def words(self, verdict: Verdict, *, live: float) -> str:
        """Return sentences that state what was assessed and what was not, the most important first.

        Args:
            live: The least confidence of LIVE, 0..1.
        """
        scope = scope_of(verdict)
        lead = f"{scope[0].upper()}{scope[1:]}."
        done, missing = self._assessed
        sentences = [lead, f"Assessed: {'; '.join(done)}."]
        if missing:
            sentences.append(f"Also not assessed: {'; '.join(missing)}.")
        if verdict is Verdict.LIVE:
            most = max(live, self.ceiling / 100)
            sentences.append(f"LIVE on these grounds has a confidence of at most {most:.2f}.")
        return " ".join(sentences)

    @property
    def _assessed(self) -> tuple[list[str], list[str]]:
        done = ["traces of prints and screens" if self.cues else "the eight signals of a selfie"]
        missing: list[str] = []
        if self.networks:
            done.append(f"PAD networks {', '.join(self.networks)}")
        else:
            missing.append("PAD networks")
        if self.missing:
            missing.append(f"PAD networks that the pack lacks: {', '.join(self.missing)}")
        (done if self.motion else missing).append("motion")
        if self.one_person is not None:
            (done if self.one_person else missing).append("whether one person is shown throughout")
        return done, missing


def scope_of(verdict: Verdict) -> str:
    """Return the shortest statement of the meaning of a verdict on a file, to show beside it."""
    return f"{_NO_SIGN}; {UNASSESSED}" if verdict is Verdict.LIVE else UNASSESSED


def assessment_of(
    *,
    pack: Pack,
    pad_scores: Iterable[PadScore],
    signals: Iterable[Signal],
    one_person: bool | None,
    cues: bool = True,
) -> Assessment:
    """Return the scope of an analysis.

    Args:
        one_person: See ``Assessment``.
        cues: See ``Assessment``.
    """
    return Assessment(
        networks=tuple(sorted({score.network for score in pad_scores})),
        missing=pack.missing_pad_networks,
        cues=cues,
        motion=bool(life_signs(signals)),
        one_person=one_person,
    )
