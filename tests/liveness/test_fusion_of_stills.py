"""Single pictures and still frames: a network decides, and cues of a medium count."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.frozen_frames import Repetition
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from tests.liveness.fusing import SCORES, fused, odds, percent

_STILLS = LivenessPolicy(capture=CaptureKind.FRAME)


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_a_single_picture_is_live_by_a_network_alone_and_never_by_its_motion(capture: CaptureKind) -> None:
    stills = LivenessPolicy(capture=capture)
    live = fused(policy=stills, frames=1, duration=0.0, pad_network=0.98)
    assert (live.verdict, live.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    spoof = fused(policy=stills, frames=1, duration=0.0, pad_network=0.02)
    assert (spoof.verdict, spoof.reasons) == (Verdict.SPOOF, (VerdictReason.NETWORK_SEES_ATTACK,))
    lively = fused(policy=stills, planar_motion=1.0, micro_motion=1.0, blink=1.0)
    assert (lively.verdict, lively.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.NO_PAD_NETWORK,))
    cues = fused(policy=stills, moire=1.0, medium_border=1.0)
    assert cues.verdict is Verdict.INCONCLUSIVE
    assert VerdictReason.NO_PAD_NETWORK in cues.reasons
    asleep = fused(policy=stills, frames=1, duration=0.0, pad_network=0.98, eyes_open=0.0)
    assert (asleep.verdict, asleep.reasons) == (Verdict.INCONCLUSIVE, (VerdictReason.EYES_CLOSED,))


def test_cues_of_a_medium_turn_a_picture_that_the_network_takes_for_real() -> None:
    alone = fused(policy=_STILLS, frames=1, duration=0.0, pad_network=0.9)
    seen = fused(policy=_STILLS, frames=1, duration=0.0, pad_network=0.9, moire=0.02, medium_border=0.02)
    assert alone.verdict is Verdict.LIVE
    assert seen.confidence < 50
    assert VerdictReason.SHOWS_A_MEDIUM in seen.reasons


@pytest.mark.parametrize("capture", [CaptureKind.FRAME, CaptureKind.FRAMES])
def test_only_frames_of_a_scan_can_come_again(capture: CaptureKind) -> None:
    found = fused(policy=LivenessPolicy(capture=capture), repetition=Repetition.FROZEN, pad_network=1.0)
    assert found.verdict is Verdict.LIVE


def test_cues_of_a_picture_count_as_its_set_of_networks_leaves_room_for_them() -> None:
    def score(*networks: str, **cues: Any) -> float:
        return fused(policy=_STILLS, networks=dict.fromkeys(networks, 0.5), **cues).score

    # Beside "strong" the gamut has no weight, and the blur has more than without a network.
    assert score("strong", colour_gamut=0.02) == pytest.approx(50)
    assert score("strong", blur_depth=0.1) == pytest.approx(percent(-1.5))
    assert score(blur_depth=0.1) == pytest.approx(percent(0.5 * odds(10)))
    assert score("strong", "second", blur_depth=0.1) == pytest.approx(percent(0.3 * odds(10)))
    # Beside an unknown set they do not count.
    assert score("unheard_of", colour_gamut=0.1, blur_depth=0.1) == pytest.approx(50)


def test_cues_for_life_count_for_less_than_cues_against_it() -> None:
    neutral = fused(policy=_STILLS, networks={"strong": 0.5}).score
    good = fused(policy=_STILLS, networks={"strong": 0.5}, blur_depth=1.0).score
    bad = fused(policy=_STILLS, networks={"strong": 0.5}, blur_depth=0.0).score
    assert 0 < good - neutral < 15
    assert neutral - bad > 25


def test_cues_add_no_life_if_a_medium_is_detected() -> None:
    def result(**scores: Any) -> LivenessResult:
        return fused(policy=_STILLS, networks={"strong": 0.5}, **scores)

    assert result(blur_depth=1.0, moire=0.02).score == result(moire=0.02).score
    assert result(blur_depth=1.0, moire=0.9).score > result(moire=0.9).score
    weights = {signal.name: signal.weight for signal in result(blur_depth=1.0, moire=0.02).signals}
    assert weights["blur_depth"] == 0
    assert result(blur_depth=0.3, moire=0.02).score < result(moire=0.02).score


@given(SCORES, st.sampled_from([CaptureKind.FRAME, CaptureKind.FRAMES]))
def test_stills_are_never_live_without_a_network(scores: dict[str, Any], capture: CaptureKind) -> None:
    result = fused(policy=LivenessPolicy(capture=capture), frames=8, **scores)
    assert result.reasons
    if result.verdict is Verdict.LIVE:
        assert "pad_network" in scores
