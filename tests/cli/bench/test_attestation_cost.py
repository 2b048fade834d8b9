from pathlib import Path

import pytest

from cli.bench.attestation_cost import evidence_cases
from evaluation.bench import verification_times


@pytest.mark.slow
@pytest.mark.alone
def test_evidence_costs_a_few_times_its_signatures(assets: Path) -> None:
    """``make bench`` measures it on an idle machine: a Play token takes 3.6 to 4.6 times its signature.

    Beside another worker an interpreter slows down more than OpenSSL.
    """
    cases = evidence_cases(assets)
    assert [case.name for case in cases] == ["Android chain of 4", "Play token, classic", "App Attest"]
    for case in cases:
        pairs = verification_times(case, runs=12, repeats=25)
        assert min(full for _, full in pairs) <= 6 * min(bare for bare, _ in pairs), case.name


def test_assets_without_evidence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        evidence_cases(tmp_path)
