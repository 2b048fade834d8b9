"""The packaged calibration of MobileFaceNet, among the people of each group."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matcher import threshold_cosine
from research.photo_match.rates import group_rates
from research.photo_match.scores import FOLDERS, embed, score_pairs
from tests.research.parts import part_of
from vision.packs import load_pack

GROUPS = {"Black", "East Asian", "Indian", "Latino_Hispanic", "Middle Eastern", "Southeast Asian", "White"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fmr_within_each_group_is_at_most_what_a_policy_allows(assets: Path, tmp_path: Path) -> None:
    for name, most in zip(FOLDERS, (1, None), strict=True):
        lines = (assets / "data" / name / "manifest.csv").read_text("utf-8").splitlines()[1:][:most]
        part_of(assets / "data" / name, tmp_path / name, [line.partition(",")[0] for line in lines])
    pack = load_pack(f"open:{assets / 'models'}")
    calibration = pack.match_calibration
    templates = embed(tmp_path, pack)
    scored = replace(templates, vectors=calibration.vectors(templates.vectors).astype(np.float32))
    _, impostor = score_pairs(scored, cohort=False)
    bounds = (1e-2, 1e-3, 1e-4)
    thresholds = np.array([threshold_cosine(bound, calibration=calibration) for bound in bounds])
    found = {
        group.name: [rate.rate for rate in group.rates]
        for group in group_rates(scored, impostor, thresholds=thresholds, resamples=2)
    }
    assert set(found) > GROUPS
    for group in GROUPS:
        assert found[group][0] <= bounds[0]
        assert found[group][1] <= bounds[1]
    # A group alone has too few pairs to show a rate of 1e-4.
    assert found["the groups pooled"][2] <= bounds[2]
