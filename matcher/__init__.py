"""The trusted image and "same person?": pure functions over bytes, templates and calibrations.

Start with ``matcher.portrait.accept_portrait`` for the trusted image, ``matcher.template`` for the
scan's template, ``matcher.comparison.compare`` for the answer, and ``matcher.constancy`` for whether the
scan shows one person throughout.
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
