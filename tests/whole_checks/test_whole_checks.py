"""Whole checks through gRPC on real photos and clips with real weights.

The tests assert that genuine clips are not judged as attacks, that impostors do not pass, and that
screen replays do not pass if the pack has a PAD network. CI runs a few cases; `make accuracy` runs all of
them and prints the counts, which are in docs/accuracy.md.
"""

from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from lab.evaluation.check_cases import CaseKind, ClipCase, clip_cases
from tests.packs import real_pack
from tests.whole_checks.__main__ import counts_table
from tests.whole_checks.cases import Case, photo_cases
from tests.whole_checks.runner import CaseOutcome, PhotoModeller, run_cases
from vision.packs import Pack, load_pack

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def embedded() -> Pack:
    return real_pack()


def _every_case(assets: Path) -> list[Case]:
    return [
        *clip_cases(assets / "data/video"),
        *photo_cases(assets / "data/faces", least_face_width=200, people=6),
    ]


def _a_few(assets: Path) -> list[Case]:
    """One in eight of each kind, and every screen replay."""
    chosen: list[Case] = []
    for kind in CaseKind:
        chosen += [case for case in _every_case(assets) if case.kind is kind][::8]
    return chosen + [case for case in _every_case(assets) if _is_replay(case) and case not in chosen]


def _is_replay(case: Case) -> bool:
    return isinstance(case, ClipCase) and case.attack.startswith("screen")


def _run(cases: list[Case], pack: Pack, modeller: Pack) -> list[CaseOutcome]:
    assert modeller.landmarker is not None
    outcomes = run_cases(
        cases,
        pack=pack,
        modeller=PhotoModeller(modeller.detector, modeller.landmarker),
        policy="evaluation" if pack.evaluation_only else "standard",
    )
    Console(width=140).print(counts_table(outcomes, title=f"Whole checks, pack {pack.name}"))
    return outcomes


def _statuses(outcomes: list[CaseOutcome], kind: CaseKind) -> Counter[str]:
    return Counter(outcome.status for outcome in outcomes if outcome.case.kind is kind)


@pytest.mark.slow
@pytest.mark.long
def test_a_few_with_the_insightface_pack(assets: Path, embedded: Pack) -> None:
    outcomes = _run(_a_few(assets), load_pack(f"insightface:{assets / 'models'}"), embedded)
    passed = {kind: _statuses(outcomes, kind)["SUCCESS"] for kind in CaseKind}
    assert passed[CaseKind.GENUINE_CLIP] >= 2
    assert passed[CaseKind.GENUINE_PHOTO] >= 1
    assert passed[CaseKind.IMPOSTOR_CLIP] == passed[CaseKind.IMPOSTOR_PHOTO] == 0
    assert not [o for o in outcomes if o.case.kind is CaseKind.GENUINE_CLIP and o.verdict == "SPOOF"]
    replays = [outcome for outcome in outcomes if _is_replay(outcome.case)]
    assert len(replays) == 3
    assert not [outcome for outcome in replays if outcome.status == "SUCCESS"]


@pytest.mark.accuracy
def test_the_insightface_pack_decides_whole_checks(assets: Path, embedded: Pack) -> None:
    outcomes = _run(_every_case(assets), load_pack(f"insightface:{assets / 'models'}"), embedded)
    assert _statuses(outcomes, CaseKind.GENUINE_CLIP)["SUCCESS"] >= 17
    assert _statuses(outcomes, CaseKind.GENUINE_PHOTO)["SUCCESS"] >= 5
    assert _statuses(outcomes, CaseKind.IMPOSTOR_CLIP)["SUCCESS"] == 0
    assert _statuses(outcomes, CaseKind.IMPOSTOR_PHOTO)["SUCCESS"] == 0
    genuine = [outcome for outcome in outcomes if outcome.case.kind is CaseKind.GENUINE_CLIP]
    assert not [outcome for outcome in genuine if outcome.verdict == "SPOOF"]
    replays = [outcome for outcome in outcomes if _is_replay(outcome.case)]
    assert len(replays) == 3
    assert not [outcome for outcome in replays if outcome.status == "SUCCESS"]


@pytest.mark.accuracy
def test_embedded_pack(assets: Path, embedded: Pack) -> None:
    outcomes = _run(_every_case(assets), embedded, embedded)
    assert _statuses(outcomes, CaseKind.GENUINE_CLIP)["SUCCESS"] >= 16
    assert _statuses(outcomes, CaseKind.GENUINE_PHOTO)["SUCCESS"] >= 4
    impostors = _statuses(outcomes, CaseKind.IMPOSTOR_CLIP) + _statuses(outcomes, CaseKind.IMPOSTOR_PHOTO)
    assert impostors["SUCCESS"] <= 2
    genuine = [outcome for outcome in outcomes if outcome.case.kind is CaseKind.GENUINE_CLIP]
    assert not [outcome for outcome in genuine if outcome.verdict == "SPOOF"]
