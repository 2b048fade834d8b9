"""Opens trusted images and compares faces: pure functions over bytes, templates and calibrations.

``accept_portrait`` makes the portrait of a trusted image or refuses the image. ``fuse_templates`` makes one
template of a scan's frames, and ``compare`` decides whether both show the same person. ``measure_constancy``
decides whether a scan shows one person throughout. ``matcher.records`` reads and writes ISO/IEC 19794-5
records.

For example, compare the portrait in a passport's data group 2 with one frame::

    from matcher import MatchPolicy, PortraitPolicy, TemplateSample
    from matcher import accept_portrait, compare, fuse_templates

    portrait = accept_portrait(trusted_image, pack=pack, policy=PortraitPolicy())

    (face,) = pack.detector.detect(frame)
    sample = TemplateSample(embedding=pack.embedder.embed(frame, face), quality=1.0)
    result = compare(
        portrait=portrait.template,
        scan=fuse_templates([sample]),
        calibration=pack.match_calibration,
        policy=MatchPolicy(max_fmr=0.01),
    )
    print(result.same_person, result.similarity)
"""

from matcher.comparison import MatchPolicy, MatchResult, check_calibration_supports, compare
from matcher.constancy import IdentityConstancy, measure_constancy
from matcher.portrait import accept_portrait, examine_portrait
from matcher.portrait_report import (
    Portrait,
    PortraitPolicy,
    PortraitReport,
    Profile,
    Requirement,
    RuleChange,
    Severity,
)
from matcher.similarity import similarity_for_fmr
from matcher.template import TemplateSample, fuse_templates, sample_quality

__all__ = [
    "IdentityConstancy",
    "MatchPolicy",
    "MatchResult",
    "Portrait",
    "PortraitPolicy",
    "PortraitReport",
    "Profile",
    "Requirement",
    "RuleChange",
    "Severity",
    "TemplateSample",
    "accept_portrait",
    "check_calibration_supports",
    "compare",
    "examine_portrait",
    "fuse_templates",
    "measure_constancy",
    "sample_quality",
    "similarity_for_fmr",
]
