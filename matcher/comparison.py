"""Compares a portrait with the fused template of a scan at a demanded false match rate."""

from dataclasses import dataclass

import numpy as np

from matcher.errors import CalibrationTooWeak, PortraitPolicyInvalid, TemplateInvalid, TemplateMismatch
from matcher.similarity import fmr_bound, scan_fmr_bound, similarity_for_fmr
from vision.face import Embedding
from vision.packs import MatchCalibration, Template


@dataclass(frozen=True, slots=True)
class MatchPolicy:
    """The demands of a policy on a match.

    Attributes:
        max_fmr: The false match rate (ISO/IEC 19795-1, per comparison) that the threshold must
            bound, in (0, 1).
        require_measured: True refuses calibrations whose figures were assumed, not measured.
    """

    max_fmr: float
    require_measured: bool = False

    def __post_init__(self) -> None:
        """Validate ``max_fmr``.

        Raises:
            PortraitPolicyInvalid: ``max_fmr`` is not in (0, 1).
        """
        if not 0.0 < self.max_fmr < 1.0:
            raise PortraitPolicyInvalid(
                f"max_fmr must lie between 0 and 1, both excluded, got {self.max_fmr}"
            )


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The result of a comparison, with every number behind it.

    Attributes:
        same_person: True when ``fmr_bound`` is at most the policy's ``max_fmr``.
        similarity: 0..100; ``matcher.similarity`` defines its meaning.
        fmr_bound: Upper bound on FMR of photos against photos at this cosine, in (0, 1], as the
            policy's ``max_fmr`` is.
        threshold_similarity: The similarity that stands for the policy's ``max_fmr``, 0..100.
        cosine: Score of the two templates, -1..1: their cosine, or with a cohort almost
            (``vision.packs.calibration``); comparable within one calibration only.
        provenance: Where the calibration comes from; see ``MatchCalibration.provenance``.
        scan_fmr_bound: Upper bound on FMR of scans against photos at this cosine, in (0, 1]: how many other
            people reach it. ``None`` if the calibration measured no scans.
    """

    same_person: bool
    similarity: float
    fmr_bound: float
    threshold_similarity: float
    cosine: float
    provenance: str
    scan_fmr_bound: float | None = None


def require_calibration_support(calibration: MatchCalibration, policy: MatchPolicy) -> None:
    """Make sure, before a comparison, that ``calibration`` supports the decision that ``policy`` demands.

    Raises:
        CalibrationTooWeak: The data do not support the demanded rate, or the figures are assumed and the
            policy demands measured ones.
    """
    supported = calibration.lowest_bound
    record = calibration.record
    if supported > policy.max_fmr:
        demand = f"the policy demands a false match rate of at most {policy.max_fmr:g}, but"
        if supported >= 1:
            message = (
                f"{demand} there is no calibration for the embedder of this pack. Calibrate it on your own "
                "photos (`facegate evaluate match --calibration`), and name the file, or one with published "
                "figures, in the setting `calibration`."
            )
        else:
            message = (
                f"{demand} the calibration of this pack supports no bound below {supported:g} "
                f"({record.provenance}, {record.impostor_pairs} impostor pairs of {record.identities} "
                "identities). Calibrate the pack on more identities (`facegate evaluate match "
                "--calibration`), name a file with published figures in the setting `calibration`, or raise "
                "max_fmr."
            )
    elif policy.require_measured and record.provenance != "measured":
        message = (
            f"the policy demands a measured calibration, but this pack's is {record.provenance}. Measure it "
            "with `facegate evaluate match --calibration`."
        )
    else:
        return
    raise CalibrationTooWeak(
        message, demanded_fmr=policy.max_fmr, supported_fmr=supported, provenance=calibration.provenance
    )


def cosine_similarity(first: Embedding, second: Embedding) -> float:
    """Cosine similarity of two templates, -1..1; they need not be of length 1.

    Raises:
        TemplateMismatch: Their lengths differ.
        TemplateInvalid: One is empty, not finite, or zero.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise TemplateMismatch(f"cannot compare templates of shapes {first.shape} and {second.shape}")
    one, other = first.astype(np.float64), second.astype(np.float64)
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    if not np.isfinite(scale) or scale == 0.0:
        raise TemplateInvalid("a template is empty, zero or not finite; it cannot be compared")
    return min(1.0, max(-1.0, float(one @ other) / scale))


def compare(
    *, portrait: Template, scan: Template, calibration: MatchCalibration, policy: MatchPolicy
) -> MatchResult:
    """Decide whether ``portrait`` and ``scan`` show the same person.

    Both templates have one form; see ``matcher.template``.

    Raises:
        CalibrationTooWeak: See ``require_calibration_support``.
        TemplateMismatch: The templates have different forms: another model, another version of its file, or
            another preprocessing made them.
        TemplateInvalid: A template is empty, zero or not finite.
    """
    # 1. Can this calibration promise the policy's bound on the FMR?
    require_calibration_support(calibration, policy)
    # 2. Are both templates of one model, file and preprocessing?
    if portrait.form_id != scan.form_id:
        raise TemplateMismatch(
            f"cannot compare a template of {portrait.form_id} with one of {scan.form_id}: their similarity "
            "would be random"
        )
    # 3. How alike are they, measured against the cohort if the calibration has one?
    cosine = _score(portrait.vector, scan.vector, calibration)
    # 4. What is the highest share of other people who are as alike? That decides.
    bound = fmr_bound(cosine, calibration=calibration)
    return MatchResult(
        same_person=bound <= policy.max_fmr,
        similarity=similarity_for_fmr(bound),
        fmr_bound=bound,
        threshold_similarity=similarity_for_fmr(policy.max_fmr),
        cosine=cosine,
        provenance=calibration.provenance,
        scan_fmr_bound=scan_fmr_bound(cosine, calibration=calibration),
    )


def _score(first: Embedding, second: Embedding, calibration: MatchCalibration) -> float:
    cosine = cosine_similarity(first, second)
    if calibration.cohort is None:
        return cosine
    lengths = [np.linalg.norm(vector.astype(np.float64)) for vector in (first, second)]
    one, other = calibration.vectors(np.stack([first / lengths[0], second / lengths[1]]))
    return min(1.0, max(-1.0, float(one @ other)))
