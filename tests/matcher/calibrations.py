"""Calibrations for tests, small enough to state the expected results."""

from typing import Literal

from vision.packs.calibration import CalibrationRecord, MatchCalibration, ScorePoint


def calibration(
    *points: tuple[float, float], provenance: Literal["measured", "assumed"] = "measured"
) -> MatchCalibration:
    return MatchCalibration(
        points=tuple(ScorePoint(cosine=cosine, fmr_upper_bound=bound) for cosine, bound in points),
        record=CalibrationRecord(
            provenance=provenance,
            dataset="numbers made for a test",
            identities=50,
            genuine_pairs=100,
            impostor_pairs=5000,
            command="none",
        ),
        embedder_sha256="0" * 64,
    )


THREE_DECADES = calibration((0.0, 1.0), (0.2, 1e-1), (0.3, 1e-2), (0.4, 1e-3))
