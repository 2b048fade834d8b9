import pytest

from liveness import Verdict
from research.liveness_fusion.rows import Row, RowKind
from research.screens_in_time.added import Decision, added, reach
from research.screens_in_time.scans import Scan

_CUE = "common steps"


def _decided(name: str, cue: float | None, *, live: bool, odds: float = 2.0) -> tuple[Decision, Scan]:
    row = Row(RowKind.CLIP, f"{name}#0", name, "" if live else "screen", live, {}, {})
    verdict = Verdict.LIVE if odds > 1 else Verdict.SPOOF
    cues = {} if cue is None else {_CUE: cue}
    return Decision(row, odds, verdict), Scan(name, 0, name, live, "", 0.0, False, cues)


def _cases(*, screens: float) -> tuple[list[Decision], list[Scan]]:
    people = [_decided(f"person {number}", min(1.0, 0.6 + number / 10), live=True) for number in range(8)]
    shown = [_decided(f"screen {number}", screens + number / 10, live=False) for number in range(4)]
    decisions, scans = zip(*people, *shown, strict=True)
    return list(decisions), list(scans)


def test_a_cue_that_separates_takes_screens_from_live_and_no_person() -> None:
    decisions, scans = _cases(screens=3.0)
    before, after = added(decisions, scans, ()), added(decisions, scans, (_CUE,))
    assert (before.auc, before.live[0], before.screens[0], before.passed) == (0.5, 8, 4, 4)
    assert (after.auc, after.live[0], after.screens[0], after.passed, after.people) == (1.0, 8, 0, 0, 8)
    assert after.weights[0] > 0
    assert reach(decisions, scans, _CUE) == (4, 0)


def test_a_cue_that_is_lower_on_screens_has_no_weight() -> None:
    decisions, scans = _cases(screens=0.2)
    found = added(decisions, scans, (_CUE,))
    assert found.weights == pytest.approx((0.0, 0.0), abs=1e-3)
    assert (found.live[0], found.screens[0]) == (8, 4)
    assert reach(decisions, scans, _CUE) == (0, 8)


def test_an_unmeasured_cue_counts_nothing_and_spoof_stays() -> None:
    decisions, scans = _cases(screens=3.0)
    for name, odds in (("unmeasured", 2.0), ("refused", -2.0)):
        decision, scan = _decided(name, None, live=False, odds=odds)
        decisions.append(decision)
        scans.append(scan)
    found = added(decisions, scans, (_CUE,))
    assert found.screens == (1, 5)
