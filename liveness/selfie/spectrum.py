"""The frequency domain of a face: log-magnitude spectrum, radial profile and three measures.

Generators that enlarge small maps leave copies of the spectrum, isolated peaks, and too much or too little
energy in the high frequencies. Sources: R. Durall, M. Keuper and J. Keuper, "Watch your Up-Convolution",
CVPR 2020 (azimuthal averages); J. Frank et al., "Leveraging Frequency Analysis for Deep Fake Image
Recognition", ICML 2020 (grids of peaks).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.selfie.settings import (
    NATURAL_KURTOSIS,
    GreyCrop,
    SelfieSettings,
    SelfieSignal,
    SelfieSubject,
    inner_square,
    score_between,
)
from liveness.verdict import Signal

_HIGH: Final = 0.5
_BAND: Final = 0.25
_SECTORS: Final = 16
"""The share of Nyquist's frequency from which on frequencies are high, and the share from which on rings are
measured; the number of directions on a ring."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The spectrum of one square crop.

    Attributes:
        magnitude: Shape (n, n): magnitude of the Fourier transform, with frequency 0 at (n/2, n/2).
        log_magnitude: Shape (n, n): natural logarithm of 1 + ``magnitude``.
        radial_profile: Shape (n/2,): mean of ``log_magnitude`` on the ring of each integer radius, from
            frequency 0 to the last one below Nyquist's.
    """

    magnitude: NDArray[np.float64]
    log_magnitude: NDArray[np.float64]
    radial_profile: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SpectrumMeasures:
    """The measures of a spectrum.

    Attributes:
        ring_kurtosis: The kurtosis of the magnitudes on a ring, averaged over the rings from a quarter of
            Nyquist's frequency up to it. Noise has 3.2 (Rayleigh's distribution); a few peaks on a ring raise
            it to the hundreds. 1 or more; 3.2 for a crop without content.
        high_frequency_ratio: The share of the log-magnitudes beyond half of Nyquist's frequency, 0..1; 0.75
            for a flat spectrum.
        azimuthal_variance: The variance over sixteen directions of the mean magnitude on the same rings, with
            each ring's mean scaled to 1; 0 if all directions are equal.
    """

    ring_kurtosis: float
    high_frequency_ratio: float
    azimuthal_variance: float


def face_spectrum(square: GreyCrop) -> Spectrum:
    """Return the spectrum of a crop, without its mean and with faded borders (Hann's window).

    Args:
        square: Shape (n, n), n even and 24 or more.
    """
    size = square.shape[0]
    window = np.hanning(size + 2)[1:-1]
    weights = window[:, None] * window[None, :]
    faded = (square - float((square * weights).sum() / weights.sum())) * weights
    magnitude = np.abs(np.fft.fftshift(np.fft.fft2(faded)))
    log_magnitude = np.log1p(magnitude)
    rings = np.rint(_radii(size)).astype(np.intp)
    inside = rings < size // 2
    counts = np.bincount(rings[inside], minlength=size // 2)
    profile = np.bincount(rings[inside], log_magnitude[inside], size // 2) / counts
    return Spectrum(magnitude=magnitude, log_magnitude=log_magnitude, radial_profile=profile)


def measure_spectrum(spectrum: Spectrum) -> SpectrumMeasures:
    """Return the three measures of ``FftDeepfake``."""
    size = spectrum.magnitude.shape[0]
    grid = _grid(size)
    rings, values = grid.band_rings, spectrum.magnitude.ravel()[grid.band]
    means = _ring_means(rings, values)
    # On a ring without content, all directions are equal and no value stands out.
    relative = np.divide(values, means[rings], out=np.ones_like(values), where=means[rings] > _NOTHING)
    deviations = relative - 1
    second, fourth = _ring_means(rings, deviations**2), _ring_means(rings, deviations**4)
    kurtosis = np.divide(fourth, second**2, out=np.full_like(second, _RAYLEIGH), where=second > _NOTHING)
    sectors = np.bincount(grid.band_sectors, relative, _SECTORS) / np.bincount(
        grid.band_sectors, minlength=_SECTORS
    )
    total = float(spectrum.log_magnitude[grid.disc].sum())
    high = float(spectrum.log_magnitude[grid.high].sum())
    return SpectrumMeasures(
        ring_kurtosis=float(kurtosis[np.unique(rings)].mean()),
        high_frequency_ratio=high / total if total > _NOTHING else 0.0,
        azimuthal_variance=float(sectors.var()),
    )


_NOTHING: Final = 1e-9
"""The mean magnitude below which a ring has no content."""
_RAYLEIGH: Final = 3.245
"""The kurtosis of Rayleigh's distribution, which the magnitudes of noise have: (32 - 3 pi^2) / (4 - pi)^2."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """The position of each value of a spectrum; ``band`` has indices into the flattened spectrum."""

    disc: NDArray[np.bool_]
    high: NDArray[np.bool_]
    band: NDArray[np.intp]
    band_rings: NDArray[np.intp]
    band_sectors: NDArray[np.intp]


def _grid(size: int) -> _Grid:
    half = size // 2
    along = np.arange(size) - half
    radius = _radii(size)
    rings = np.rint(radius).astype(np.intp)
    disc = radius <= half
    band = np.flatnonzero((rings >= _BAND * half) & (rings < half))
    band_rows, band_columns = np.divmod(band, size)
    # Opposite directions hold the same values, because the image is real.
    angles = np.arctan2(along[band_rows], along[band_columns]) % np.pi
    sectors = np.minimum((angles / np.pi * _SECTORS).astype(np.intp), _SECTORS - 1)
    return _Grid(
        disc=disc,
        high=disc & (radius > _HIGH * half),
        band=band,
        band_rings=rings.ravel()[band],
        band_sectors=sectors,
    )


def _radii(size: int) -> NDArray[np.float64]:
    """Return the distance of each value from frequency 0."""
    squares = (np.arange(size, dtype=np.float64) - size // 2) ** 2
    return np.sqrt(squares[:, None] + squares[None, :])


def _ring_means(rings: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of ``values`` on each ring; 0 for a ring without values."""
    counts = np.bincount(rings)
    sums = np.bincount(rings, values).astype(np.float64)
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


_SMALLEST_SIDE: Final = 48
_RATIO_TOLERANCE: Final = 0.2
"""The distance from the baseline at which the score is 0. A flat spectrum has a ratio of 0.75, 0.10 above the
baseline, and must not score above 0.5."""
_GOOD, _FAIR, _POOR = 0.8, 0.6, 0.4
"""Scores at which the words of the detail change. They do not affect the verdict."""


class FftDeepfake(SelfieSignal):
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
            return self.unknown(reason)
        measures = measure_spectrum(face_spectrum(square))
        score = spectrum_score(measures, settings)
        return self.scored(
            score,
            f"{_words(score)} (ring kurtosis {measures.ring_kurtosis:.1f}, high-frequency ratio "
            f"{measures.high_frequency_ratio:.2f}, azimuthal variance "
            f"{measures.azimuthal_variance:.2f}).",
        )


def spectrum_score(measures: SpectrumMeasures, settings: SelfieSettings) -> float:
    """Return the score of three measures, 0..1."""
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
