"""The trusted image and "same person?": pure functions over bytes, templates and calibrations.

Start with ``matcher.portrait.accept_portrait`` for the trusted image, ``matcher.template`` for the
scan's template, and ``matcher.comparison.compare`` for the answer.
"""

from matcher.comparison import MatchPolicy, MatchResult, check_calibration_supports, compare
from matcher.portrait import accept_portrait
from matcher.portrait_report import (
    Portrait,
    PortraitPolicy,
    PortraitReport,
    Requirement,
    Severity,
)
from matcher.similarity import similarity_for_fmr
from matcher.template import (
    FusedTemplate,
    TemplateSample,
    fuse_templates,
    fuse_with_constancy,
    sample_quality,
)

__all__ = [
    "FusedTemplate",
    "MatchPolicy",
    "MatchResult",
    "Portrait",
    "PortraitPolicy",
    "PortraitReport",
    "Requirement",
    "Severity",
    "TemplateSample",
    "accept_portrait",
    "check_calibration_supports",
    "compare",
    "fuse_templates",
    "fuse_with_constancy",
    "sample_quality",
    "similarity_for_fmr",
]
