"""No more genuine clips are decided against at any length than as whole attempts (``make accuracy``)."""

from collections import defaultdict
from pathlib import Path

import pytest

from attempt.judgement import StandingLine
from liveness.fusion_model import load_fusion_model
from tests.packs import shared_pack
from tests.server.scan.early_departure import Cut, ScanCutter, clip_scans

pytestmark = pytest.mark.accuracy

_MAX_FMR = 1e-2


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("spec", ["open", "embedded"])
def test_leaving_early_harms_no_genuine_person(assets: Path, spec: str) -> None:
    pack = shared_pack("embedded" if spec == "embedded" else f"open:{assets / 'models'}")
    cutter = ScanCutter(pack=pack, name=spec, fusion=load_fusion_model(), every=4)
    decided: dict[str, int] = defaultdict(int)
    scans = 0
    for scan in clip_scans(assets, pack, most=2):
        if scan.kind != "live":
            continue
        cuts = cutter.cut(scan)
        scans += 1
        decided["whole"] += _adverse(cuts[-1])
        decided["cut"] += any(_adverse(cut) for cut in cuts if cut.whole or _stands(cut))
        # Another person is distinguished at every length at which a judgement stands.
        assert all(min(cut.others) > _MAX_FMR for cut in cuts if cut.others and _stands(cut))
    assert scans >= 40
    assert decided["cut"] <= decided["whole"] <= scans // 10


def _adverse(cut: Cut) -> bool:
    return cut.spoof or cut.constant is False or (cut.bound is not None and cut.bound > _MAX_FMR)


def _stands(cut: Cut) -> bool:
    return StandingLine().reached(faces=cut.faces, seconds=cut.seconds, selected=cut.examined)
