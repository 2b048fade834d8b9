"""The signal of the variety of the skin's micro-texture."""

from liveness.selfie.local_patterns import lbp_codes, lbp_histogram, pattern_entropy
from liveness.selfie.scoring import score_between
from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject, texture_crop
from liveness.signal import Signal, assessed, not_assessed

_ENTROPY_ANCHORS = ((0.0, 0.0), (4.8, 0.35), (5.0, 0.55), (5.25, 0.80), (5.45, 1.0))
_GOOD, _FAIR, _POOR = 0.8, 0.55, 0.35
"""Scores at which the words of the detail change. They do not affect the verdict."""


class LbpTexture:
    """Uniform local binary patterns of the face at 96 x 96 pixels: the worse of two scores.

    Entropy of the histogram: linear between 0 at 0 bits, 0.35 at 4.8, 0.55 at 5.0, 0.80 at 5.25 and 1 at
    5.45, derived from the development images (docs/selfie_signals.md). Share of the most frequent pattern: 1
    at 0, 0.5 at ``lbp_dominant_bin_spoof_threshold``, 0 if it is the only pattern.
    """

    name = "lbp_texture"
    label = "Skin micro-texture (LBP)"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        crop = texture_crop(subject)
        if crop is None:
            reason = "No face was found." if subject.face is None else "The face is too small."
            return not_assessed(name=self.name, label=self.label, reason=reason)
        histogram = lbp_histogram(lbp_codes(crop))
        score = texture_score(
            entropy=pattern_entropy(histogram),
            dominant=float(histogram.max()),
            threshold=settings.lbp_dominant_bin_spoof_threshold,
        )
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=(
                f"{_words(score)} (pattern entropy {pattern_entropy(histogram):.2f} of 5.88 bits, most "
                f"frequent pattern {100 * float(histogram.max()):.0f} %)."
            ),
        )


def texture_score(*, entropy: float, dominant: float, threshold: float) -> float:
    """Returns the score of a histogram.

    Args:
        entropy: Entropy of the histogram, bits, 0..5.88.
        dominant: Share of the most frequent pattern, 0..1.
        threshold: ``SelfieSettings.lbp_dominant_bin_spoof_threshold``.
    """
    varied = score_between(entropy, _ENTROPY_ANCHORS)
    spread = score_between(dominant, ((0.0, 1.0), (threshold, 0.5), (1.0, 0.0)))
    return min(varied, spread)


def _words(score: float) -> str:
    if score >= _GOOD:
        return "The skin's texture is like that of a real face"
    if score >= _FAIR:
        return "The texture is broadly consistent with skin, with some loss as from compression"
    if score >= _POOR:
        return "The texture is partly uniform, as on a flat medium"
    return "The texture is highly uniform or periodic"
