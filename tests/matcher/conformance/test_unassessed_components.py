"""Components for which no pack has a model are not assessed and have no number."""

import pytest

from matcher.conformance.interface import Measure
from matcher.conformance.no_head_coverings import NoHeadCoverings
from matcher.conformance.unified_quality_score import UnifiedQualityScore
from tests.matcher.conformance.heads import Head
from tests.matcher.conformance.pictures import refused


@pytest.mark.parametrize("measure", [NoHeadCoverings(), UnifiedQualityScore()])
def test_the_detail_states_that_no_pack_can_assess_it(measure: Measure) -> None:
    assert "no pack has" in refused(measure.assess(Head().portrait()))
