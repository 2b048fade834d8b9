"""Compares fused scans with portraits of other persons, and makes a calibration of a photo with a scan.

Templates of a scan's frames are made as the server does: an attempt (``attempt.capture``) follows, selects
and identifies, without the network connection, the thread pool and the PAD networks. The portraits are
photos, and frames of other clips. A fused template is more similar to all persons than that
of a single photo, strangers included, so that bounds from pairs of photos alone can be too low. Therefore the
calibration has, at every cosine, the worst of the bounds from pairs of photos
(``lab.evaluation.match.calibration``) and from scans, over all packs with the embedder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attempt import Frame, capture_clip, persons_of
from lab.evaluation.match import LabelledTemplate, PackMeasurement
from lab.evaluation.match.calibration import choose_points
from lab.evaluation.match.error_bounds import fmr_curve
from lab.evaluation.match.impostor_scores import ImpostorScores
from lab.studies.scan_match.clips import Recording, SentFrame
from matcher import SCAN_SUBJECT, SubjectRule, fuse_templates
from vision.face import Embedding
from vision.packs import CalibrationRecord, MatchCalibration, Pack, ScorePoint
from vision.packs.calibration import ScanRange

_NO_BOOTSTRAP: Final = 2


@dataclass(frozen=True, slots=True)
class ClipTemplates:
    """One person's clip.

    Attributes:
        portrait: Template of a frame before the scans; ``None`` if none shows one face.
        scans: The fused template of each scan.
    """

    name: str
    portrait: Embedding | None
    scans: tuple[Embedding, ...]


def embed_clip(recording: Recording, pack: Pack) -> ClipTemplates:
    """Return the templates as the pack scores them: by its cohort, if it has one."""

    def scored(template: Embedding) -> Embedding:
        return np.asarray(pack.match_calibration.vectors(template[None])[0], np.float32)

    portrait = portrait_template(recording, pack)
    return ClipTemplates(
        name=recording.name,
        portrait=None if portrait is None else scored(portrait),
        scans=tuple(scored(fused_template(scan, pack)) for scan in recording.scans),
    )


def fused_template(frames: Sequence[SentFrame], pack: Pack) -> Embedding:
    """Follow, select and embed the frames of a scan, in order of time, and fuse the comparable templates."""
    # No more than templates.
    capture = capture_clip(
        (_arrived(frame, index) for index, frame in enumerate(frames)),
        pack=replace(pack, pad_networks=()),
        subject=SCAN_SUBJECT,
    )
    capture.examine_rest()
    return fuse_templates([one.sample for one in capture.examined if one.sample.comparable]).vector


def portrait_template(recording: Recording, pack: Pack) -> Embedding | None:
    """Return the template of the first frame before the scans that shows one person; ``None`` without one."""
    for frame in recording.portraits:
        pixels = frame.pixels()
        faces = persons_of(pixels, pack, rule=SubjectRule())
        if len(faces) == 1:
            return pack.embedder.embed(pixels, faces[0])
    return None


def _arrived(frame: SentFrame, index: int) -> Frame:
    height, width = frame.pixels().shape[:2]
    return Frame(
        image=frame.jpeg,
        index=index,
        capture_time_us=round(1e6 * frame.time),
        rotation_degrees=0,
        mirrored=False,
        width=width,
        height=height,
    )


@dataclass(frozen=True, slots=True)
class ScanComparisons:
    """Comparisons of scans.

    Attributes:
        with_photos: Scans against photos of other persons.
        with_frames: Scans against the portrait frames of other clips.
        genuine: Shape (n,), cosines of scans to the portrait frame of their own clip.
    """

    with_photos: ImpostorScores
    with_frames: ImpostorScores
    genuine: NDArray[np.float64]
    photo_persons: int
    clip_persons: int

    @property
    def together(self) -> ImpostorScores:
        """Return all comparisons of different persons."""
        return ImpostorScores(
            np.concatenate([self.with_photos.scores, self.with_frames.scores]),
            np.concatenate([self.with_photos.first, self.with_frames.first]),
            np.concatenate([self.with_photos.second, self.with_frames.second]),
            self.with_photos.groups,
        )

    def fnmr(self, threshold: float) -> float:
        """Return the share of the genuine comparisons below ``threshold``, 0..1."""
        return float((self.genuine < threshold).mean()) if self.genuine.size else 0.0


@dataclass(frozen=True, slots=True)
class ScanCurve:
    """FMR of scans over the cosine.

    Attributes:
        thresholds: Shape (t,), rising.
        photo_rates: Shape (t,), FMR against photos, as the mean over pairs of persons.
        frame_rates: Shape (t,), FMR against frames of other clips.
        upper_bounds: Shape (t,), bounds on FMR, never rising: of all comparisons together, and never below
            the rate of either kind.
    """

    thresholds: NDArray[np.float64]
    photo_rates: NDArray[np.float64]
    frame_rates: NDArray[np.float64]
    upper_bounds: NDArray[np.float64]
    comparisons: int
    person_pairs: int


def compare_scans(clips: Sequence[ClipTemplates], photos: Sequence[LabelledTemplate]) -> ScanComparisons:
    """Compare every scan with every photo, and with the portrait frame of every clip.

    Args:
        clips: One clip per person; no person is in the photos.
        photos: Photos of the main group; those that are measured separately are omitted.
    """
    kept = [photo for photo in photos if not photo.apart]
    names = sorted({photo.identity for photo in kept})
    numbers = {name: number for number, name in enumerate(names)}
    groups = np.zeros(len(names) + len(clips), dtype=np.int64)
    scans = [
        (len(names) + number, scan.astype(np.float64))
        for number, clip in enumerate(clips)
        for scan in clip.scans
    ]
    frames = [
        (len(names) + number, clip.portrait.astype(np.float64))
        for number, clip in enumerate(clips)
        if clip.portrait is not None
    ]
    by_photo = [(numbers[photo.identity], photo.embedding.astype(np.float64)) for photo in kept]
    with_photos, first_photo, second_photo = _cosines(by_photo, scans)
    with_frames, first_frame, second_frame = _cosines(frames, scans)
    same = first_frame == second_frame
    return ScanComparisons(
        with_photos=ImpostorScores(with_photos, first_photo, second_photo, groups),
        with_frames=ImpostorScores(with_frames[~same], first_frame[~same], second_frame[~same], groups),
        genuine=with_frames[same],
        photo_persons=len(names),
        clip_persons=len(clips),
    )


def scan_curve(
    comparisons: ScanComparisons,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
    confidence: float,
    seed: int,
) -> ScanCurve:
    """Compute FMR of scans with its bound (``lab.evaluation.match.error_bounds``) at every threshold.

    There are too few pairs of clips for a separate bound, so that the bound is that of all comparisons. It is
    never below the measured rate of photos alone or of frames alone.

    Args:
        thresholds: Shape (t,), strictly rising.
        resamples: Number of bootstrap samples.
        confidence: One-sided confidence of the bounds.
        seed: Seed of the bootstrap's draws.
    """
    together = fmr_curve(
        comparisons.together,
        thresholds=thresholds,
        resamples=resamples,
        confidence=confidence,
        rng=np.random.default_rng(seed),
    )
    photo_rates, frame_rates = (
        fmr_curve(
            scores,
            thresholds=thresholds,
            resamples=_NO_BOOTSTRAP,
            confidence=confidence,
            rng=np.random.default_rng(seed),
        ).rates
        for scores in (comparisons.with_photos, comparisons.with_frames)
    )
    bounds = np.max([together.upper_bounds, photo_rates, frame_rates], axis=0)
    return ScanCurve(
        thresholds=thresholds,
        photo_rates=photo_rates,
        frame_rates=frame_rates,
        upper_bounds=np.minimum.accumulate(bounds),
        comparisons=together.comparisons,
        person_pairs=together.person_pairs,
    )


def _cosines(
    portraits: Sequence[tuple[int, NDArray[np.float64]]], scans: Sequence[tuple[int, NDArray[np.float64]]]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the cosines of all portraits with all scans, and both persons; shape (portraits * scans,)."""
    one = np.stack([template for _, template in portraits])
    other = np.stack([template for _, template in scans])
    first, second = np.meshgrid(
        np.array([person for person, _ in portraits], dtype=np.int64),
        np.array([person for person, _ in scans], dtype=np.int64),
        indexing="ij",
    )
    cosines: NDArray[np.float64] = np.clip(one @ other.T, -1.0, 1.0)
    return cosines.ravel(), first.ravel(), second.ravel()


@dataclass(frozen=True, slots=True)
class ScanMeasurement:
    """The measurement of one pack on photos and on scans.

    Attributes:
        curve: FMR of scans over the cosine, at the same thresholds as that of the photos.
    """

    photos: PackMeasurement
    comparisons: ScanComparisons
    curve: ScanCurve
    scans: int


def calibrate_with_scans(
    measurements: Sequence[ScanMeasurement], *, embedder_sha256: str, dataset: str, command: str
) -> MatchCalibration:
    """Make the calibration of an embedder: the worst of its measurements at every cosine.

    Args:
        measurements: One or more, at the same thresholds; the record has the counts of the first.
        embedder_sha256: SHA-256 of the embedder's file, lower-case hex.
        dataset: Name of the data set for the record.
        command: Command that repeats the calibration, for the record.
    """
    first = measurements[0]
    photo_bounds = np.max([each.photos.curve.upper_bounds for each in measurements], axis=0)
    scan_bounds = np.max([photo_bounds, *(each.curve.upper_bounds for each in measurements)], axis=0)
    thresholds = first.curve.thresholds
    points = tuple(
        ScorePoint(
            cosine, bound, round(max(each.photos.comparisons.fnmr(cosine) for each in measurements), 4)
        )
        for cosine, bound in choose_points(thresholds, photo_bounds)
        if cosine <= 1.0
    )
    of_scans = tuple(
        ScorePoint(cosine, bound, round(max(each.comparisons.fnmr(cosine) for each in measurements), 4))
        for cosine, bound in choose_points(thresholds, scan_bounds)
        if cosine <= 1.0
    )
    photos, scans = first.photos.comparisons, first.comparisons
    record = CalibrationRecord(
        provenance="measured",
        dataset=dataset,
        identities=photos.identities,
        genuine_pairs=photos.genuine.size + photos.genuine_apart.size,
        impostor_pairs=first.photos.curve.comparisons,
        failures_to_acquire=first.photos.run.failures,
        command=command,
        note=_note(measurements),
    )
    return MatchCalibration(
        points=points,
        record=record,
        embedder_sha256=embedder_sha256,
        scans=ScanRange(
            points=of_scans,
            scans=first.scans,
            persons=scans.photo_persons + scans.clip_persons,
            genuine_pairs=scans.genuine.size,
            impostor_pairs=scans.with_photos.scores.size + scans.with_frames.scores.size,
        ),
    )


def _note(measurements: Sequence[ScanMeasurement]) -> str:
    counts = " ".join(_counts(each) for each in measurements)
    confidence = measurements[0].photos.curve.confidence
    packs = " of all packs, whose detectors align faces by other points" * (len(measurements) > 1)
    return (
        f"{counts} Every bound is the worst{packs}; that of scans is never below that of photos. They share "
        "persons, so a bound is the larger of an identity bootstrap and Clopper-Pearson over the effective "
        f"number of pairs of persons (Korn and Graubard), one-sided {confidence:.0%}, and never below the "
        "rate of one group of photos, of scans against photos, or of scans against frames of other clips. "
        "fnmr is that of pairs of photos. Development photos are not the population of a deployment: "
        "measure again on your own."
    )


def _counts(measurement: ScanMeasurement) -> str:
    photos, scans = measurement.photos, measurement.comparisons
    apart = photos.comparisons.identities - photos.comparisons.main_identities
    return (
        f"Pack {photos.pack}: {photos.run.photos} photos, {len(photos.run.templates)} templates; main group: "
        f"{photos.comparisons.main_identities} persons, {photos.comparisons.genuine.size} genuine pairs; "
        f"measured apart: {apart} persons, {photos.comparisons.genuine_apart.size} genuine pairs; "
        f"{photos.curve.comparisons} impostor pairs of {photos.curve.person_pairs} pairs of persons. "
        f"{measurement.scans} scans of {scans.clip_persons} persons: {scans.with_photos.scores.size} "
        f"impostor comparisons with photos of the main group, {scans.with_frames.scores.size} with frames of "
        f"other clips, of {measurement.curve.person_pairs} pairs of persons together; {scans.genuine.size} "
        "genuine."
    )
