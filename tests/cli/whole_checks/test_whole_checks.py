"""Whole checks through gRPC on real photos and clips with real weights; the counts are printed.

What is asserted is what must not break: genuine clips are not taken for attacks, impostors do not pass,
screen replays do not pass where the pack has a PAD network. The counts themselves stand in
docs/accuracy.md, good or bad.
"""

from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from cli.whole_checks.cases import ClipCase, Kind, clip_cases, photo_cases
from cli.whole_checks.command import counts_table
from cli.whole_checks.runner import Outcome, PhotoModeller, run_cases
from tests.packs import real_pack
from vision.packs import Pack, load_pack

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def embedded() -> Pack:
    return real_pack()


def _run(assets: Path, pack: Pack, modeller: Pack) -> list[Outcome]:
    assert modeller.landmarker is not None
    outcomes = run_cases(
        [
            *clip_cases(assets / "data/video"),
            *photo_cases(assets / "data/faces", least_face_width=200, people=6),
        ],
        pack=pack,
        modeller=PhotoModeller(modeller.detector, modeller.landmarker),
        policy="standard",
    )
    Console(width=140).print(counts_table(outcomes, title=f"Whole checks, pack {pack.name}"))
    return outcomes


def _statuses(outcomes: list[Outcome], kind: Kind) -> Counter[str]:
    return Counter(outcome.status for outcome in outcomes if outcome.case.kind is kind)


def test_insightface_pack(assets: Path, embedded: Pack) -> None:
    outcomes = _run(assets, load_pack(f"insightface:{assets / 'models'}"), embedded)
    assert _statuses(outcomes, Kind.GENUINE_CLIP)["SUCCESS"] >= 17
    assert _statuses(outcomes, Kind.GENUINE_PHOTO)["SUCCESS"] >= 5
    assert _statuses(outcomes, Kind.IMPOSTOR_CLIP)["SUCCESS"] == 0
    assert _statuses(outcomes, Kind.IMPOSTOR_PHOTO)["SUCCESS"] == 0
    genuine = [outcome for outcome in outcomes if outcome.case.kind is Kind.GENUINE_CLIP]
    assert not [outcome for outcome in genuine if outcome.verdict == "SPOOF"]
    replays = [
        outcome
        for outcome in outcomes
        if isinstance(outcome.case, ClipCase) and outcome.case.attack.startswith("screen")
    ]
    assert len(replays) == 3
    assert not [outcome for outcome in replays if outcome.status == "SUCCESS"]


def test_embedded_pack(assets: Path, embedded: Pack) -> None:
    outcomes = _run(assets, embedded, embedded)
    assert _statuses(outcomes, Kind.GENUINE_CLIP)["SUCCESS"] >= 16
    assert _statuses(outcomes, Kind.GENUINE_PHOTO)["SUCCESS"] >= 4
    impostors = _statuses(outcomes, Kind.IMPOSTOR_CLIP) + _statuses(outcomes, Kind.IMPOSTOR_PHOTO)
    assert impostors["SUCCESS"] <= 2
    genuine = [outcome for outcome in outcomes if outcome.case.kind is Kind.GENUINE_CLIP]
    assert not [outcome for outcome in genuine if outcome.verdict == "SPOOF"]
