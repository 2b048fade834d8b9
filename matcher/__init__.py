"""Opens trusted images and compares faces: pure functions over bytes, templates and calibrations.

``accept_portrait`` makes the portrait of a trusted image or refuses the image. ``fuse_templates`` makes one
template of a scan's frames, and ``compare`` decides whether both show the same person. ``measure_constancy``
decides whether a scan shows one person throughout. ``matcher.records`` reads and writes ISO/IEC 19794-5
and 39794-5 records.

For example, compare the portrait in a passport's data group 2 with one frame::

    from matcher import MatchPolicy, PortraitPolicy, TemplateSample
    from matcher import accept_portrait, compare, fuse_templates

    portrait = accept_portrait(trusted_image, pack=pack, policy=PortraitPolicy())

    (face,) = pack.detector.detect(frame)
    sample = TemplateSample(template=pack.template(frame, face), quality=1.0)
    result = compare(
        portrait=portrait.template,
        scan=fuse_templates([sample]),
        calibration=pack.match_calibration,
        policy=MatchPolicy(max_fmr=0.01),
    )
    print(result.same_person, result.similarity)
"""

from matcher.comparison import (
    MatchPolicy,
    MatchResult,
    compare,
    cosine_similarity,
    require_calibration_support,
)
from matcher.conformance.requirement import Profile, Requirement, Severity
from matcher.constancy import IdentityConstancy, measure_constancy
from matcher.errors import (
    CalibrationTooWeak,
    ConversionImpossible,
    MatcherError,
    PortraitPolicyInvalid,
    RecordInvalid,
    RefusalReason,
    TrustedImageRefused,
)
from matcher.persons import PHOTO_SUBJECT, SCAN_SUBJECT, SubjectRule, faces_in_words, persons_among
from matcher.portrait import accept_portrait, examine_portrait
from matcher.portrait_report import Portrait, PortraitPolicy, PortraitReport, RuleChange
from matcher.records.conversion import EyeFinder, TargetFormat, Wishes, convert, format_of, suffix_of
from matcher.similarity import fmr_bound, similarity_for_fmr, similarity_in_words, threshold_cosine
from matcher.template import TemplateSample, fuse_templates, is_comparable, sample_quality

__all__ = [
    "PHOTO_SUBJECT",
    "SCAN_SUBJECT",
    "CalibrationTooWeak",
    "ConversionImpossible",
    "EyeFinder",
    "IdentityConstancy",
    "MatchPolicy",
    "MatchResult",
    "MatcherError",
    "Portrait",
    "PortraitPolicy",
    "PortraitPolicyInvalid",
    "PortraitReport",
    "Profile",
    "RecordInvalid",
    "RefusalReason",
    "Requirement",
    "RuleChange",
    "Severity",
    "SubjectRule",
    "TargetFormat",
    "TemplateSample",
    "TrustedImageRefused",
    "Wishes",
    "accept_portrait",
    "compare",
    "convert",
    "cosine_similarity",
    "examine_portrait",
    "faces_in_words",
    "fmr_bound",
    "format_of",
    "fuse_templates",
    "is_comparable",
    "measure_constancy",
    "persons_among",
    "require_calibration_support",
    "sample_quality",
    "similarity_for_fmr",
    "similarity_in_words",
    "suffix_of",
    "threshold_cosine",
]
