"""The signal of a generator's traces in the face's spectrum."""

import math
from typing import Final

import numpy as np

from liveness.selfie.scoring import score_between
from liveness.selfie.settings import NATURAL_KURTOSIS, SelfieSettings
from liveness.selfie.spectrum import SpectrumMeasures, face_spectrum, measure_spectrum
from liveness.selfie.subject import SelfieSubject, inner_square
from liveness.signal import Signal, assessed, not_assessed

_SMALLEST_SIDE: Final = 48
_RATIO_TOLERANCE: Final = 0.2
"""The distance from the baseline at which the score is 0. A flat spectrum has a ratio of 0.75, 0.10 above the
baseline, and must not score above 0.5."""
_GOOD, _FAIR, _POOR = 0.8, 0.6, 0.4
"""Scores at which the words of the detail change. They do not affect the verdict."""


class FftDeepfake:
    """The mean of three scores of the spectrum of the face's middle (``spectrum.SpectrumMeasures``).

    Ring kurtosis: 1 up to 3, 0 from ``fft_kurtosis_max`` on, linear in its logarithm, so 0.5 at 6 by default.
    High-frequency ratio: 1 at ``fft_hf_ratio_baseline``, 0 from a distance of 0.2 on. Azimuthal variance: 1
    at 0, 0.5 at ``fft_az_variance_max``, 0 from twice that on.
    """

    name = "fft_deepfake"
    label = "GAN fingerprint (frequency domain)"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        square = inner_square(subject)
        if square is None or square.shape[0] < _SMALLEST_SIDE or not np.ptp(square):
            reason = "No face was found." if subject.face is None else "The face is too small or blank."
            return not_assessed(name=self.name, label=self.label, reason=reason)
        measures = measure_spectrum(face_spectrum(square))
        score = spectrum_score(measures, settings)
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=(
                f"{_words(score)} (ring kurtosis {measures.ring_kurtosis:.1f}, high-frequency ratio "
                f"{measures.high_frequency_ratio:.2f}, azimuthal variance "
                f"{measures.azimuthal_variance:.2f})."
            ),
        )


def spectrum_score(measures: SpectrumMeasures, settings: SelfieSettings) -> float:
    """Returns the score of three measures, 0..1."""
    kurtosis = score_between(
        math.log(max(measures.ring_kurtosis, 1.0)),
        ((math.log(NATURAL_KURTOSIS), 1.0), (math.log(settings.fft_kurtosis_max), 0.0)),
    )
    away = abs(measures.high_frequency_ratio - settings.fft_hf_ratio_baseline)
    ratio = score_between(away, ((0.0, 1.0), (_RATIO_TOLERANCE, 0.0)))
    variance = score_between(
        measures.azimuthal_variance, ((0.0, 1.0), (2 * settings.fft_az_variance_max, 0.0))
    )
    return (kurtosis + ratio + variance) / 3


def _words(score: float) -> str:
    if score >= _GOOD:
        return "The spectrum is like that of a natural camera image"
    if score >= _FAIR:
        return "The spectrum is broadly natural; heavy compression causes such small anomalies"
    if score >= _POOR:
        return "The spectrum has moderate anomalies, as in generated or swapped faces"
    return "The spectrum has strong periodic artefacts or one strong direction, as in generated images"
