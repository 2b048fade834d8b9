from pathlib import Path

import pytest

from cli.bench.attestation_cost import evidence_cases
from evaluation.bench import verification_times


def test_evidence_costs_four_times_its_signatures_at_most(assets: Path) -> None:
    cases = evidence_cases(assets)
    assert [case.name for case in cases] == ["Android chain of 4", "Play token, classic", "App Attest"]
    for case in cases:
        pairs = verification_times(case, runs=6, repeats=25)
        assert min(full / bare for bare, full in pairs) <= 4, case.name


def test_assets_without_evidence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        evidence_cases(tmp_path)
